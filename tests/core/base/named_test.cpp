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

struct Fruit {
  std::string_view name;
  Colour value;
  int seeds;
};
constexpr Fruit kFruits[] = {{"lime", Colour::kGreen, 8}, {"cherry", Colour::kRed, 1}};

TEST(Named, RowsMaySayMoreThanAName) {
  EXPECT_EQ(name_of(kFruits, Colour::kRed), "cherry");
  EXPECT_EQ(value_of(kFruits, "lime"), Colour::kGreen);
  EXPECT_EQ(name_or_auto(kFruits, std::nullopt), "auto");
}

}  // namespace
}  // namespace xkde
