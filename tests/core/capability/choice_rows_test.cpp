#include "core/capability/choice_rows.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

/// What reading a file with an empty line and then `line` says.
std::string error_of(const std::string& line) {
  const test::TempFolder folder;
  const auto file = folder.write("q.jsonl", "\n" + line + "\n");
  return test::message_of<DataError>([&] { read_choice_rows(file, "en"); });
}

TEST(ChoiceRows, TakeContextOrQuestionAndTheirLanguage) {
  const test::TempFolder folder;
  const auto file =
      folder.write("q.jsonl",
                   "{\"id\": 7, \"question\": \"Wo?\", \"choices\": [\"hier\", \"da\"], "
                   "\"answer\": 1, \"lang\": \"de\"}\r\n"
                   "\n"
                   "{\"id\": \"b\", \"context\": \"\", \"choices\": [\"a\", \"b\", \"c\"], "
                   "\"answer\": 0}");

  const std::vector<ChoiceRow> rows = read_choice_rows(file, "en");

  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].id, "7");
  EXPECT_EQ(rows[0].language, "de");
  EXPECT_EQ(rows[0].context, "Wo?");
  EXPECT_THAT(rows[0].choices, ElementsAre("hier", "da"));
  EXPECT_EQ(rows[0].answer, 1U);
  EXPECT_EQ(rows[0].line, 1);
  EXPECT_EQ(rows[1].id, "b");
  EXPECT_EQ(rows[1].language, "en");
  EXPECT_EQ(rows[1].context, "");
  EXPECT_EQ(rows[1].line, 3);
}

TEST(ChoiceRows, NameFileLineAndFieldOfAMistake) {
  const std::string good = R"("context": "c", "choices": ["a", "b"])";

  EXPECT_THAT(error_of("{" + good + R"(, "answer": 2})"),
              EndsWith("q.jsonl: line 2: answer: expected the index of a choice, 0 to 1, found 2"));
  EXPECT_THAT(error_of("{" + good + R"(, "answer": -1})"), HasSubstr("0 to 1, found -1"));
  EXPECT_THAT(error_of("{" + good + R"(, "answer": "a"})"), HasSubstr("0 to 1, found a text"));
  EXPECT_THAT(error_of("{" + good + "}"), HasSubstr("answer: expected the index of a choice"));
  EXPECT_THAT(error_of("{" + good + R"(, "answer": 0, "label": 1})"),
              HasSubstr("line 2: expected the keys id, lang, context, question, choices, answer, "
                        "found \"label\""));
  EXPECT_THAT(error_of("{" + good + R"(, "answer": 0, "question": "q"})"),
              HasSubstr("expected one of the keys context and question, found both"));
  EXPECT_THAT(error_of("{" + good + R"(, "answer": 0, "id": 0.5})"), HasSubstr("id: expected"));
  EXPECT_THAT(error_of("{" + good + R"(, "answer": 0, "lang": " "})"),
              HasSubstr("lang: expected a language's code, found only blanks"));
  EXPECT_THAT(error_of(R"({"choices": ["a", "b"], "answer": 0})"),
              HasSubstr("line 2: context: expected a text, found nothing"));
  EXPECT_THAT(error_of(R"({"context": "c", "choices": ["a", ""], "answer": 0})"),
              HasSubstr("choices.1: expected a text that is not empty, found \"\""));
  EXPECT_THAT(error_of(R"({"context": "c", "choices": ["a", 3], "answer": 0})"),
              HasSubstr("choices.1: expected a text that is not empty, found 3"));
  EXPECT_THAT(error_of(R"({"context": "c", "choices": ["a"], "answer": 0})"),
              HasSubstr("choices: expected at least two, found 1"));
  EXPECT_THAT(error_of(R"({"context": "c", "answer": 0})"),
              HasSubstr("choices: expected a list of texts, found nothing"));
  EXPECT_THAT(error_of("[1]"), HasSubstr("line 2: expected an object"));
  EXPECT_THAT(error_of("{\"context\": \"\xff\"}"), HasSubstr("q.jsonl: line 2"));
  EXPECT_THAT(error_of(""), HasSubstr("expected a question with choices a line, found none"));
}

}  // namespace
}  // namespace xkde
