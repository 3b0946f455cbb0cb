#include "core/base/named.h"

#include <gtest/gtest.h>

namespace xkde {
namespace {

enum class Colour { kRed, kGreen, kBlue };
constexpr Named<Colour> kColours[] = {{"red", Colour::kRed}, {"green", Colour::kGreen}};

TEST(Named, ValuesHaveTheNameOfTheirTable) {
  EXPECT_EQ(name_of(kColours, Colour::kGreen), "green");
  EXPECT_EQ(value_of(kColours, "red"), Colour::kRed);
}

TEST(Named, AnUnknownNameHasNoValue) { EXPECT_FALSE(value_of(kColours, "Red").has_value()); }

TEST(Named, AValueThatTheTableLacksIsABug) {
  EXPECT_THROW(name_of(kColours, Colour::kBlue), InternalError);
}

TEST(Named, NamesKeepTheOrderOfTheTable) {
  EXPECT_EQ(names_of(kColours)[0], "red");
  EXPECT_EQ(names_of(kColours)[1], "green");
}

}  // namespace
}  // namespace xkde
