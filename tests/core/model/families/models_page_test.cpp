#include "core/model/families/models_page.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"

namespace xkde {
namespace {

const std::filesystem::path kPage = std::filesystem::path(XKDE_SOURCE_DIR) / "docs/models.md";

TEST(ModelsPage, IsCurrent) {
  if (std::getenv("XKDE_WRITE_DOCS") != nullptr) write_file_atomically(kPage, models_page());

  EXPECT_EQ(text_if_there(kPage, FileOrigin::kInput), models_page())
      << "remake it: XKDE_WRITE_DOCS=1 families_test --gtest_filter='ModelsPage.*'";
}

}  // namespace
}  // namespace xkde
