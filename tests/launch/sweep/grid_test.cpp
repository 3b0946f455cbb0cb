#include "launch/sweep/grid.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(const std::vector<std::string>& words) {
  return test::message_of<UsageError>([&] { Grid{words}; });
}

TEST(SplitValues, PartsAtCommas) {
  EXPECT_THAT(split_values("1e-4,2e-4"), ElementsAre("1e-4", "2e-4"));
  EXPECT_THAT(split_values("a, b ,c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split_values("a,,b,"), ElementsAre("a", "", "b", ""));
}

TEST(SplitValues, LeavesOneValueAsItStands) {
  EXPECT_THAT(split_values(" a b "), ElementsAre(" a b "));
  EXPECT_THAT(split_values(""), ElementsAre(""));
}

TEST(SplitValues, CommasWithinBracketsPartNothing) {
  EXPECT_THAT(split_values("[de,fr]"), ElementsAre("[de,fr]"));
  EXPECT_THAT(split_values("[1,2],[3]"), ElementsAre("[1,2]", "[3]"));
  EXPECT_THAT(split_values("[[1,2],[3,4]],x"), ElementsAre("[[1,2],[3,4]]", "x"));
  EXPECT_THAT(split_values("{a: 1, b: 2},{a: 3}"), ElementsAre("{a: 1, b: 2}", "{a: 3}"));
  EXPECT_THAT(split_values("${A,B}/x,y"), ElementsAre("${A,B}/x", "y"));
}

TEST(SplitValues, CommasWithinQuotesPartNothing) {
  EXPECT_THAT(split_values("\"a,b\",c"), ElementsAre("\"a,b\"", "c"));
  EXPECT_THAT(split_values("'a,''b',c"), ElementsAre("'a,''b'", "c"));
  EXPECT_THAT(split_values(R"("a\",b",c)"), ElementsAre(R"("a\",b")", "c"));
  EXPECT_THAT(split_values("[']', \",\"],x"), ElementsAre("[']', \",\"]", "x"));
}

TEST(SplitValues, AnApostropheWithinAValueOpensNothing) {
  EXPECT_THAT(split_values("don't,can't"), ElementsAre("don't", "can't"));
  EXPECT_THAT(split_values("[don't,a],b"), ElementsAre("[don't,a]", "b"));
}

TEST(SplitValues, WhatIsNeverClosedIsOneValue) {
  EXPECT_THAT(split_values("[1,2"), ElementsAre("[1,2"));
  EXPECT_THAT(split_values("'1,2"), ElementsAre("'1,2"));
  EXPECT_THAT(split_values("1],2"), ElementsAre("1]", "2"));
}

TEST(Grid, IsTheProductWithTheFirstKeyTheSlowest) {
  const Grid grid({"seed=1,2", "model.dtype=float32", "sft.lora~", "sft.max_steps=3,4,5"});

  ASSERT_EQ(grid.size(), 6U);
  EXPECT_THAT(grid.keys(), ElementsAre("seed", "sft.max_steps"));
  std::vector<std::string> all;
  for (size_t i = 0; i < grid.size(); ++i)
    all.push_back(grid.values(i)[0] + " " + grid.values(i)[1]);
  EXPECT_THAT(all, ElementsAre("1 3", "1 4", "1 5", "2 3", "2 4", "2 5"));
}

TEST(Grid, OverridesStandInTheOrderOfTheWords) {
  const Grid grid({"seed=1,2", "model.dtype=float32", "sft.lora~", "a.b=[1,2],[3]", "c="});

  EXPECT_THAT(grid.overrides(2),
              ElementsAre("seed=2", "model.dtype=float32", "sft.lora~", "a.b=[1,2]", "c="));
}

TEST(Grid, NeedsAKeyWithSeveralValues) {
  EXPECT_EQ(refusal({}),
            "sweep: expected a key with several values (key.path=value,value), found none");
  EXPECT_EQ(refusal({"seed=1", "sft.lora~", "a=[1,2]"}), refusal({}));
}

TEST(Grid, NeedsAValueInEachPlace) {
  EXPECT_EQ(refusal({"seed=1,,2"}),
            "sweep: seed: expected a value on each side of a comma, found none in '1,,2'");
  EXPECT_THAT(refusal({"seed=1,"}), HasSubstr("found none in '1,'"));
  EXPECT_THAT(refusal({"seed=,"}), HasSubstr("found none in ','"));
}

TEST(Grid, NamesAndFoldersOfRunsAreNoAxes) {
  EXPECT_EQ(refusal({"run_name=a,b"}),
            "sweep: run_name: expected one value, as each recipe gets its own, found 2");
  EXPECT_THAT(refusal({"seed=1,2", "output_dir=a,b,c"}), HasSubstr("output_dir: expected one"));
}

TEST(Grid, RefusesMorePointsThanItMayHave) {
  std::string many = "seed=0";
  for (int i = 1; i < 500; ++i) many += "," + std::to_string(i);

  EXPECT_EQ(Grid({many, "sft.max_steps=1,2"}).size(), 1000U);
  EXPECT_EQ(refusal({many, "sft.max_steps=1,2,3"}),
            "sweep: expected at most 1000 recipes, found 1500 (500 x 3)");
  EXPECT_EQ(refusal({many, many, many, many, many, many, many, many}),
            "sweep: expected at most 1000 recipes, found more than 999999 (500 x 500 x 500 x 500 x "
            "500 x 500 x 500 x 500)");
}

}  // namespace
}  // namespace xkde
