#include "core/text/text_layout.h"

#include <sstream>
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

TEST(Aligned, HasColumnsAsWideAsTheirCells) {
  const TextGrid grid{{"key", "a", "b"}, {"sft.steps", "one two", "5"}, {"x", "", ""}};

  EXPECT_EQ(aligned(grid),
            "key              a  b\n"
            "sft.steps  one two  5\n"
            "x\n");
  EXPECT_EQ(aligned(grid, {.is_left = true}),
            "key        a        b\n"
            "sft.steps  one two  5\n"
            "x\n");
  EXPECT_EQ(aligned(grid, {.titles = 2}),
            "key        a        b\n"
            "sft.steps  one two  5\n"
            "x\n");
  EXPECT_EQ(aligned_width(grid), 21U);
}

TEST(Aligned, PutsColumnsThatDoNotFitIntoBlocksBelowWithTheTitles) {
  const TextGrid grid{{"edit → test", "metric", "before", "after", "gain"},
                      {"en → es", "locality", "20.00", "100.00", "+80.00"}};

  EXPECT_EQ(aligned(grid, {.most = 40, .titles = 2}),
            "edit → test  metric    before   after\n"
            "en → es      locality   20.00  100.00\n"
            "\n"
            "edit → test  metric      gain\n"
            "en → es      locality  +80.00\n");
}

TEST(Aligned, BreaksLongCellsAtBlanksElseBehindMarks) {
  const TextGrid grid{{"key", "a", "b"},
                      {"evaluate.free_answers.contexts", "one two three four five six", "5"}};

  EXPECT_EQ(aligned(grid, {.most = 54}),
            "key                                               a  b\n"
            "evaluate.free_answers.      one two three four five  5\n"
            "contexts                                        six\n");
}

TEST(Aligned, NeverBreaksANumberAndNeverIsWiderThanItMayBe) {
  for (size_t columns = 1; columns < 40; ++columns) {
    TextGrid grid{{"recipe"}, {"quickstart-00"}};
    std::string numbers;
    for (size_t i = 0; i < columns; ++i) {
      grid[0].push_back("section.key_" + std::to_string(i));
      grid[1].push_back(i % 2 == 0 ? "日本語のモデルの名前です/とても長い名前です"
                                   : "-1.23456789e-05");
    }

    const std::string text = aligned(grid, {.most = 80});

    std::istringstream lines(text);
    size_t whole = 0;
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(display_width(line), 80U) << line;
      for (size_t at = 0; (at = line.find("-1.23456789e-05", at)) != line.npos; ++at) ++whole;
    }
    EXPECT_EQ(whole, columns / 2);
  }
}

}  // namespace
}  // namespace xkde
