#include "core/evaluate/judge/labelled_rows.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using testing::ElementsAre;

TEST(LabelledRows, AreReadInOrder) {
  const test::TempFolder folder;
  const auto file = folder.write(
      "rows.jsonl",
      "{\"lang\": \"es\", \"question\": \"q\", \"right\": [\"a\", \"b\"], \"answer\": \" c\\n\", "
      "\"label\": false}\n\n"
      "{\"question\": \"q\", \"right\": [\"a\"], \"answer\": \"\", \"label\": true}\n");

  const std::vector<LabelledRow> rows = read_labelled_rows(file);

  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].language, "es");
  EXPECT_THAT(rows[0].asked.right, ElementsAre("a", "b"));
  EXPECT_EQ(rows[0].asked.answer, "c");
  EXPECT_FALSE(rows[0].is_right);
  EXPECT_EQ(rows[1].language, "und");
  EXPECT_TRUE(rows[1].is_right);
}

TEST(LabelledRows, MistakesAreNamed) {
  const test::TempFolder folder;
  const std::map<std::string, std::string> mistakes{
      {"[]", "line 1: expected an object, found a value of type array"},
      {R"({"question": "q", "right": [], "answer": "a", "label": true})",
       "line 1: right: expected a list of at least one text, found a value of type array"},
      {R"({"question": "q", "right": ["a", " "], "answer": "a", "label": true})",
       "line 1: right.1: expected a text that is not blank, found only blanks"},
      {R"({"question": "q", "right": ["a"], "label": true})",
       "line 1: answer: expected a text, found nothing"},
      {R"({"question": "q", "right": ["a"], "answer": "a", "label": 1})",
       "line 1: label: expected true or false, found a value of type number"}};
  for (const auto& [line, told] : mistakes) {
    const auto file = folder.write("rows.jsonl", line + "\n");
    EXPECT_EQ(test::message_of<DataError>([&] { read_labelled_rows(file); }),
              file.string() + ": " + told);
  }
  const auto empty = folder.write("rows.jsonl", "\n");
  EXPECT_EQ(test::message_of<DataError>([&] { read_labelled_rows(empty); }),
            empty.string() + ": expected a labelled answer a line, found none");
}

TEST(LabelledRows, OursAreSixtyInFourLanguages) {
  const auto rows = read_labelled_rows(XKDE_SOURCE_DIR "/recipes/data/judge/labelled.jsonl");
  std::map<std::string, std::map<bool, int>> counts;
  for (const LabelledRow& row : rows) ++counts[row.language][row.is_right];

  EXPECT_EQ(rows.size(), 60U);
  ASSERT_EQ(counts.size(), 4U);
  for (const char* language : {"en", "es", "de", "zh"}) {
    EXPECT_EQ(counts[language][true], 7) << language;
    EXPECT_EQ(counts[language][false], 8) << language;
  }
}

}  // namespace
}  // namespace xkde
