#include "core/text/text_layout.h"

#include <string>

#include <gtest/gtest.h>

namespace xkde {
namespace {

TEST(DisplayWidth, CountsColumnsOfATerminal) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("a → b"), 5U);
  EXPECT_EQ(display_width("中文"), 4U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width("a\xe4"), 2U);  // a character that is cut off
}

TEST(Folded, BreaksLongLinesAtBlanksAndIndentsTheRest) {
  EXPECT_EQ(folded("plan  shard full, recompute none (it fits)\nshort\n", 20, 6),
            "plan  shard full,\n"
            "      recompute none\n"
            "      (it fits)\n"
            "short\n");
}

TEST(Folded, LeavesWhatFitsAsItIs) {
  EXPECT_EQ(folded("  two   blanks", 14, 4), "  two   blanks");
  EXPECT_EQ(folded("any\nwidth\n", kAnyWidth, 4), "any\nwidth\n");
  EXPECT_EQ(folded("\n\n", 10, 4), "\n\n");
}

TEST(Folded, KeepsAWordThatIsTooLong) {
  EXPECT_EQ(folded("see /a/path/of/many/parts now", 10, 2), "see\n  /a/path/of/many/parts\n  now");
  EXPECT_EQ(folded("            deep words", 8, 2), "            deep\n  words");
}

TEST(Folded, CountsColumnsNotBytes) {
  EXPECT_EQ(folded("en → es, en → de", 16, 2), "en → es, en → de");
}

TEST(Shortened, SaysThatSomethingIsLeftOut) {
  EXPECT_EQ(shortened("model", 5), "model");
  EXPECT_EQ(shortened("models", 5), "mode…");
  EXPECT_EQ(shortened("中文中文", 6), "中文…");
}

TEST(Aligned, BreaksItsWidestCellsWhereItWouldBeTooWide) {
  const TextGrid grid{{"key", "a", "b"}, {"sft.a_long_name", "one two three four", "5"}};

  EXPECT_EQ(aligned(grid),
            "key                               a  b\n"
            "sft.a_long_name  one two three four  5\n");
  EXPECT_EQ(aligned_width(grid), 38U);
  EXPECT_EQ(aligned(grid, 30),
            "key                       a  b\n"
            "sft.a_long_n  one two three  5\n"
            "ame                    four   \n");
}

TEST(Aligned, StaysAsWideAsNarrowColumnsNeed) {
  const TextGrid grid{{"12345678", "12345678", "1234567890"}};

  EXPECT_EQ(aligned(grid, 10),
            "12345678  12345678  12345678\n"
            "                          90\n");
}

}  // namespace
}  // namespace xkde
