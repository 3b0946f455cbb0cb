#include "launch/failure.h"

#include <filesystem>
#include <system_error>

#include <gtest/gtest.h>

namespace xkde {
namespace {

TEST(Failure, OfTheFileSystemIsNoBug) {
  try {
    throw std::filesystem::filesystem_error("cannot do", "runs/a",
                                            std::make_error_code(std::errc::permission_denied));
  } catch (...) {
    const Failure failure = describe_current_exception();

    EXPECT_EQ(failure.exit_code, 74);
    EXPECT_EQ(failure.kind, "IoError");
    EXPECT_EQ(failure.message, "runs/a: expected to reach it, found Permission denied");
  }
}

}  // namespace
}  // namespace xkde
