#include "core/text/plural.h"

#include <cstddef>
#include <cstdint>

#include <gtest/gtest.h>

namespace xkde {
namespace {

TEST(Plural, OneThingHasNoS) {
  EXPECT_EQ(count_of(size_t{1}, "stage"), "1 stage");
  EXPECT_EQ(count_of(0, "stage"), "0 stages");
  EXPECT_EQ(count_of(int64_t{2}, "dev pair"), "2 dev pairs");
  EXPECT_EQ(plural("rank", 1), "rank");
  EXPECT_EQ(plural("rank", -1), "ranks");
}

}  // namespace
}  // namespace xkde
