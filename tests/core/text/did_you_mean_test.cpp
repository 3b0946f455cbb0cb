#include "core/text/did_you_mean.h"

#include <string>

#include <gtest/gtest.h>

namespace xkde {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("seed", "sed"), 1U);
  EXPECT_EQ(edit_distance("seed", "seeed"), 1U);
  EXPECT_EQ(edit_distance("seed", "send"), 1U);
  EXPECT_EQ(edit_distance("seed", "esed"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Closest, FindsMistypedNames) {
  EXPECT_EQ(closest("learnig_rate", {"learning_rate", "logging_steps"}), "learning_rate");
  EXPECT_EQ(closest("learningRate", {"learning_rate"}), "learning_rate");
  EXPECT_EQ(closest("Max-Steps", {"max_steps", "save_steps"}), "max_steps");
  EXPECT_EQ(closest("dytpe", {"dtype", "path"}), "dtype");
}

TEST(Closest, FindsANameOfOneLetterInTwo) {
  EXPECT_EQ(closest("kk", {"k"}), "k");
  EXPECT_EQ(closest("tk", {"k"}), "k");
  EXPECT_EQ(closest("t", {"k"}), "");
}

TEST(Closest, FindsNamesByTheirBeginningWhenOnlyOneHasIt) {
  EXPECT_EQ(closest("gradient_acc", {"gradient_accumulation_steps"}),
            "gradient_accumulation_steps");
  EXPECT_EQ(closest("max_", {"max_length", "max_samples"}), "");
}

TEST(Closest, FindsNothingWhereNothingIsClose) {
  EXPECT_EQ(closest("temperature", {"learning_rate", "seed"}), "");
  EXPECT_EQ(closest("", {"a"}), "");
  EXPECT_EQ(closest("x", {"y"}), "");
  EXPECT_EQ(closest(std::string(100000, 'a'), {"seed"}), "");
}

TEST(DidYouMean, IsAQuestionOrNothing) {
  EXPECT_EQ(did_you_mean("seeed", {"seed"}), "; did you mean 'seed'?");
  EXPECT_EQ(did_you_mean("zebra", {"seed"}), "");
}

}  // namespace
}  // namespace xkde
