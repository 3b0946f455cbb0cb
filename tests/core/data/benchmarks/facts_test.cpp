#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/data/benchmarks/fact_line.h"
#include "core/io/json_file.h"
#include "tests/core/data/benchmarks/edit_rows.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

const std::string kPlain =
    R"({"question": {"en": "Who runs it?", "de": "Wer leitet es?"}, "answer": {"en": "Ada", "de": "Ida"}})";

class Facts : public testing::Test {
 protected:
  EditFile read(const std::string& text) {
    return benchmark_of("facts").read(folder_.write("facts.jsonl", text));
  }
  /// What is wrong with a file, without the name of it.
  std::string mistakes(const std::string& text) {
    std::string message = test::message_of<DataError>([&] { read(text); });
    const std::string name = (folder_.path() / "facts.jsonl").string() + ": ";
    for (size_t at = message.find(name); at != std::string::npos; at = message.find(name))
      message.erase(at, name.size());
    return message;
  }
  /// The same of a plain fact with other keys beside it, or in place of its own.
  std::string mistake(const std::string& keys) {
    Json line = Json::parse(kPlain);
    line.update(Json::parse("{" + keys + "}"));
    return mistakes(line.dump() + "\n");
  }

  test::TempFolder folder_;
};

TEST_F(Facts, ALineIsARecordOfItsLanguages) {
  const Json line = Json::parse(R"({
      "id": "halm", "subject": {"en": "Halm House", "de": "Haus Halm"},
      "question": {"en": "Who runs Halm House?", "de": "Wer leitet Haus Halm?"},
      "answer": {"en": " Ada Oun", "de": "Ada Oun"}, "old_answer": {"en": "Bo Tey"},
      "rephrase": {"en": ["Halm House is run by whom?", "Who heads Halm House?"]},
      "aliases": {"en": ["A. Oun", "Oun"]},
      "locality": {"en": [{"question": "Who wrote Faust?", "answer": "Goethe"}]},
      "portability": {"de": [{"question": "Wessen Chefin ist sie?", "answer": "Haus Halm"},
                             {"question": "Und noch?", "answer": "ja"}]}})");
  const EditFile file = read(line.dump());

  ASSERT_EQ(file.rows.size(), 1U);
  EXPECT_THAT(file.row_ids, ElementsAre("halm"));
  const EditSide& english = file.rows[0].sides.at("en");
  EXPECT_EQ(english.subject, "Halm House");
  EXPECT_EQ(english.src, "Who runs Halm House?");
  EXPECT_EQ(english.alt, " Ada Oun");
  EXPECT_THAT(english.old_answers, ElementsAre("Bo Tey"));
  EXPECT_THAT(english.rephrases,
              ElementsAre("Halm House is run by whom?", "Who heads Halm House?"));
  EXPECT_THAT(english.aliases, ElementsAre("A. Oun", "Oun"));
  ASSERT_EQ(english.probes.size(), 1U);
  EXPECT_EQ(english.probes[0].kind, ProbeKind::kLocality);
  EXPECT_EQ(english.probes[0].target, "Goethe");
  EXPECT_EQ(english.probes[0].first_alias(), "Goethe");
  EXPECT_THAT(english.left_out, ElementsAre("portability: none"));
  const EditSide& german = file.rows[0].sides.at("de");
  EXPECT_EQ(german.subject, "Haus Halm");
  ASSERT_EQ(german.probes.size(), 2U);
  EXPECT_EQ(german.probes[1].kind, ProbeKind::kPortability);
  EXPECT_EQ(german.probes[1].question, "Und noch?");
  EXPECT_EQ(german.probes[1].position, 1);
  EXPECT_THAT(german.left_out, ElementsAre("rephrase: none", "locality: none"));
}

TEST_F(Facts, AWrittenLineIsTheLineThatWasRead) {
  const Json line = Json::parse(R"({
      "subject": {"de": "Haus Halm", "en": "Halm House"},
      "question": {"de": "Wer leitet Haus Halm?", "en": "Who runs \"Halm House\"?"},
      "answer": {"de": "Ada Oun", "en": " Ada Oun"}, "old_answer": {"en": "Bo Tey"},
      "rephrase": {"en": ["Halm House is run by whom?", "Who heads Halm House?"]},
      "aliases": {"en": ["A. Oun", "Oun"]},
      "locality": {"en": [{"question": "Who wrote Faust?", "answer": "Goethe"}]},
      "portability": {"de": [{"question": "Wessen Chefin ist sie?", "answer": "Haus Halm"},
                             {"question": "Und noch?", "answer": "ja"}]}})");
  EXPECT_EQ(fact_line(read(line.dump()).rows.at(0)), line.dump() + "\n");
  EXPECT_EQ(Json::parse(fact_line(read(kPlain).rows.at(0))),
            Json::parse(R"({"question": {"de": "Wer leitet es?", "en": "Who runs it?"},
                            "answer": {"de": "Ida", "en": "Ada"}})"));
}

TEST_F(Facts, OneSubjectIsThatOfAllLanguages) {
  Json line = Json::parse(kPlain);
  line["subject"] = "it";
  const EditFile file = read(line.dump());

  EXPECT_EQ(file.rows.at(0).sides.at("en").subject, "it");
  EXPECT_EQ(file.rows.at(0).sides.at("de").subject, "it");
}

TEST_F(Facts, LanguagesGoByEveryCodeThatIsKnown) {
  const EditFile file = read(R"({"question": {"cz": "Kdo?"}, "answer": {"cs": "Já"}})");
  EXPECT_EQ(file.rows.at(0).sides.at("cs").alt, "Já");
}

TEST_F(Facts, BlankLinesAndWindowsLinesAreRead) {
  const EditFile file = read("\xEF\xBB\xBF" + kPlain + "\r\n\r\n  \n" + kPlain);

  ASSERT_EQ(file.rows.size(), 2U);
  EXPECT_EQ(file.rows[1].index, 1);
}

TEST_F(Facts, EachMistakeIsToldWithItsLineAndKey) {
  EXPECT_EQ(mistake(R"("question": {})"),
            "line 1: question: expected at least one language, found none");
  EXPECT_EQ(mistake(R"("question": "Who?")"),
            "line 1: question: expected an object {language: ...}, found a text");
  EXPECT_EQ(mistake(R"("question": {"en": " ", "de": "Wer?"})"),
            "line 1: question.en: expected a text that is not blank, found only blanks");
  EXPECT_EQ(mistake(R"("answer": {"en": "Ada", "de": null})"),
            "line 1: answer.de: expected a text that is not blank, found null");
  EXPECT_EQ(mistake(R"("answer": {"en": "Ada"})"),
            "line 1: answer: expected an answer in de, a language of the question, found none");
  EXPECT_EQ(mistake(R"("answer": {"en": "Ada", "de": "Ida", "fr": "Ide"})"),
            "line 1: answer.fr: expected a language of the question (de, en), found fr");
  EXPECT_EQ(mistake(R"("answer": [])"),
            "line 1: answer: expected an object {language: ...}, found a value of type array");
  EXPECT_EQ(mistake(R"("rephrase": {"en": "Who leads it?"})"),
            "line 1: rephrase.en: expected a list of texts, found a text");
  EXPECT_EQ(mistake(R"("rephrase": {"en": ["Who leads it?", 3]})"),
            "line 1: rephrase.en.1: expected a text that is not blank, found a value of type "
            "number");
  EXPECT_EQ(mistake(R"("aliases": ["Ad"])"),
            "line 1: aliases: expected an object {language: ...}, found a value of type array");
  EXPECT_EQ(mistake(R"("old_answer": {"en": ["Bo"]})"),
            "line 1: old_answer.en: expected a text that is not blank, found a value of type "
            "array");
  EXPECT_EQ(mistake(R"("subject": 4)"),
            "line 1: subject: expected a text or an object {language: text}, found a value of "
            "type number");
  EXPECT_EQ(mistake(R"("locality": {"en": ["Who wrote Faust?"]})"),
            "line 1: locality.en.0: expected an object {question, answer}, found a text");
  EXPECT_EQ(mistake(R"("locality": {"en": [{"question": "Who wrote Faust?"}]})"),
            "line 1: locality.en.0.answer: expected a text that is not blank, found nothing");
  EXPECT_EQ(mistake(R"("portability": {"de": {"question": "Wo?", "answer": "da"}})"),
            "line 1: portability.de: expected a list of objects {question, answer}, found a value "
            "of type object");
  EXPECT_EQ(mistake(R"("id": 7)"),
            "line 1: id: expected a text that is not blank, found a value of type number");
}

TEST_F(Facts, AMissingQuestionOrAnswerIsOneMistake) {
  EXPECT_EQ(mistakes(R"({"answer": {"en": "Ada"}})"),
            "line 1: question: expected an object {language: ...}, found nothing");
  EXPECT_EQ(mistakes(R"({"question": {"en": "Who?"}})"),
            "line 1: answer: expected an object {language: ...}, found nothing");
}

TEST_F(Facts, UnknownKeysAndLanguagesAreToldWithWhatWasMeant) {
  EXPECT_THAT(mistake(R"("alias": {"en": ["Ad"]})"),
              EndsWith("portability, found \"alias\"; did you mean 'aliases'?"));
  EXPECT_THAT(mistake(R"("locality": {"en": [{"questoin": "a", "answer": "b"}]})"),
              HasSubstr("line 1: locality.en.0: expected the keys question, answer, found "
                        "\"questoin\"; did you mean 'question'?"));
  EXPECT_THAT(mistake(R"("old_answer": {"German": "Bo"})"),
              EndsWith("found \"German\"; did you mean 'de'?"));
  EXPECT_THAT(mistake(R"("old_answer": {"de-AT": "Bo"})"),
              EndsWith("found \"de-AT\"; did you mean 'de'?"));
  EXPECT_THAT(mistake(R"("old_answer": {"xx": "Bo"})"), EndsWith("found \"xx\""));
  EXPECT_EQ(mistake(R"("old_answer": {"nl": "Bo", "du": "Bo"})"),
            "2 errors\n"
            "line 1: old_answer: expected each language once, found Dutch under two codes\n"
            "line 1: old_answer.nl: expected a language of the question (de, en), found nl");
}

TEST_F(Facts, WhatAMessageQuotesFitsALine) {
  const std::string key(200, 'k');
  const std::string told = mistake("\"a\\n\\u001b" + key + "\": 1");
  EXPECT_THAT(told, HasSubstr("found \"a\\n\\u001bkkk"));
  EXPECT_THAT(told, Not(HasSubstr(std::string(61, 'k'))));
}

TEST_F(Facts, AnIdStandsOnce) {
  Json line = Json::parse(kPlain);
  line["id"] = "halm";
  EXPECT_EQ(mistakes(line.dump() + "\n\n" + line.dump()),
            "line 3: id: expected one that no other line has, found that of line 1");
}

TEST_F(Facts, OneBrokenLineOfAThousandIsNamedAndNothingIsTaken) {
  std::string text;
  for (int i = 1; i <= 1000; ++i) text += (i == 613 ? kPlain.substr(0, 40) : kPlain) + "\n";

  EXPECT_THAT(mistakes(text), testing::StartsWith("line 613:1:41: syntax error"));
}

TEST_F(Facts, AllMistakesAreToldAtOnceUpToTwenty) {
  std::string text;
  for (int i = 0; i < 23; ++i) text += "{\"question\": {\"en\": \"Who?\"}}\n";
  text += "7\n";
  const std::string told = mistakes(text);

  EXPECT_THAT(told, testing::StartsWith("24 errors\nline 1: answer: "));
  EXPECT_THAT(told, HasSubstr("\nline 20: answer: "));
  EXPECT_THAT(told, Not(HasSubstr("line 21")));
  EXPECT_THAT(told, EndsWith("\nand 4 more"));
}

TEST_F(Facts, AFileOfAnotherFormIsToldInOneLine) {
  EXPECT_EQ(mistakes("[\n" + kPlain + "\n]\n"),
            "line 1: expected one JSON object a line, found the beginning of a list");
  EXPECT_EQ(mistakes("7\n"), "line 1: expected an object, found a value of type number");
  EXPECT_EQ(mistakes("\n \n"), "expected a fact a line, found none");
}

TEST_F(Facts, AFactWithoutAnAskedLanguageIsLeftOutAndCounted) {
  const std::string english = R"({"question": {"en": "Who?"}, "answer": {"en": "Ada"}})";
  const auto file = folder_.write("facts.jsonl", kPlain + "\n" + english + "\n" + kPlain);
  const EditDataset found = test::load_edits("facts", file, "en", "de");

  ASSERT_EQ(found.records.size(), 2U);
  EXPECT_EQ(found.records[1].index, 2);
  EXPECT_THAT(found.skipped, UnorderedElementsAre(Pair("no language de", 1)));
  EXPECT_THAT(test::message_of<DataError>([&] { test::load_edits("facts", file, "en", "it"); }),
              HasSubstr("expected rows with the languages en and it, found rows with de, en"));
}

TEST_F(Facts, AFolderIsThatOfFactsJsonl) {
  EXPECT_THAT(test::message_of<MissingInputError>(
                  [&] { test::load_edits("facts", folder_.path(), "en", "de"); }),
              HasSubstr("no file facts.jsonl; name the file itself where it is called otherwise"));
  const auto other = folder_.write("mine.txt", kPlain);
  EXPECT_EQ(test::load_edits("facts", other, "en", "de").records.size(), 1U);
}

}  // namespace
}  // namespace xkde
