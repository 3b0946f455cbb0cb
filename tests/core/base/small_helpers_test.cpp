#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/common_prefix.h"
#include "core/base/shape_text.h"

namespace xkde {
namespace {

TEST(CommonPrefix, EndsWhereListsDifferOrOneEnds) {
  using Ids = std::vector<int64_t>;

  EXPECT_EQ(common_prefix(Ids{1, 2, 3}, Ids{1, 2, 4}), 2);
  EXPECT_EQ(common_prefix(Ids{1, 2}, Ids{1, 2, 4}), 2);
  EXPECT_EQ(common_prefix(Ids{}, Ids{1}), 0);
  EXPECT_EQ(common_prefix(std::string_view("which"), std::string_view("whose")), 2);
}

TEST(ShapeText, ListsTheExtents) {
  EXPECT_EQ(shape_text({}), "[]");
  EXPECT_EQ(shape_text({7}), "[7]");
  EXPECT_EQ(shape_text({2, 30, 4}), "[2, 30, 4]");
}

}  // namespace
}  // namespace xkde
