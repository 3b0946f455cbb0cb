#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

using Answers = std::vector<std::vector<std::string>>;

EditFile read(const char* set, const std::string& text) {
  const test::TempFolder folder;
  return benchmark_of(set).read(folder.write("rows.json", text));
}

/// The only side of a row.
const EditSide& side(const EditFile& data, size_t row = 0) {
  return data.rows.at(row).sides.at("en");
}

std::vector<Probe> probes(const EditFile& data, bool locality) {
  std::vector<Probe> probes;
  for (const Probe& probe : side(data).probes) {
    if (is_locality(probe.kind) == locality) probes.push_back(probe);
  }
  return probes;
}

std::filesystem::path find_file(const char* set, const std::filesystem::path& data, Split split) {
  const Language& english = language_of("en");
  return benchmark_of(set).files(data, english, english, split).at(0);
}

std::string error_of(const char* set, const std::string& text) {
  try {
    read(set, text);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

/// A row of the recent set with these lists.
std::string recent_row(const std::string& portability, const std::string& locality = "{}") {
  return R"([{"subject": "Ilo Bar", "prompt": "The home of Ilo Bar is", "target_new": "Oss",
              "portability": )" +
         portability + R"(, "locality": )" + locality + "}]";
}

TEST(KnowEdit, ZsreRowHasRephraseOldAnswersAndProbes) {
  const EditFile data = read("zsre", R"([{
      "subject": "Tor Bridge", "prompt": "What does Tor Bridge cross?", "target_new": " Tessel",
      "ground_truth": ["Lorne", "River Lorne"], "rephrase_prompt": "Tor Bridge crosses what?",
      "cond": "Lorne >> Tessel || What does Tor Bridge cross?",
      "locality": {"Relation_Specificity": [{"prompt": "It was built by", "ground_truth": ["Ida"]}]},
      "portability": {"Subject_Aliasing": [{"prompt": "TB crosses", "ground_truth": "Tessel"}]}}])");

  ASSERT_EQ(data.rows.size(), 1U);
  EXPECT_EQ(side(data).subject, "Tor Bridge");
  EXPECT_EQ(side(data).src, "What does Tor Bridge cross?");
  EXPECT_EQ(side(data).alt, " Tessel");
  EXPECT_THAT(side(data).rephrases, ElementsAre("Tor Bridge crosses what?"));
  EXPECT_THAT(side(data).old_answers, ElementsAre("Lorne", "River Lorne"));
  ASSERT_EQ(side(data).probes.size(), 2U);
  EXPECT_EQ(side(data).probes[0].kind, ProbeKind::kRelationSpecificity);
  EXPECT_EQ(side(data).probes[0].answers, (Answers{{"Ida"}}));
  EXPECT_EQ(side(data).probes[1].kind, ProbeKind::kSubjectAliasing);
  EXPECT_EQ(side(data).probes[1].answers, (Answers{{"Tessel"}}));
  EXPECT_TRUE(data.skipped.empty());
}

TEST(KnowEdit, WikibioRowIsPassageNextSentenceAndConcept) {
  const EditFile data = read("wikibio", R"([{
      "text": "This is about ada pell. ", "labels": "She sang.", "concept": "ada pell",
      "locality": {"Relation_Specificity": [{"prompt": "Her field is", "ground_truth": ["song"]}]}}])");

  EXPECT_EQ(side(data).subject, "ada pell");
  EXPECT_EQ(side(data).src, "This is about ada pell. ");
  EXPECT_EQ(side(data).alt, "She sang.");
  EXPECT_TRUE(side(data).rephrases.empty());
  EXPECT_TRUE(side(data).old_answers.empty());
  EXPECT_TRUE(probes(data, /*locality=*/false).empty());
}

TEST(KnowEdit, NestedListsAreAnswersWithAliases) {
  const EditFile data =
      read("recent",
           recent_row(
               R"({"Reasoning": [{"prompt": "p", "ground_truth": [["yes", "aye"], ["true"]]}]})"));

  EXPECT_EQ(probes(data, false).at(0).answers, (Answers{{"yes", "aye"}, {"true"}}));
}

TEST(KnowEdit, KindsComeInOneOrderWhateverTheFiles) {
  const EditFile data = read("recent", recent_row(R"({"Logical_Generalization": [{"prompt": "l",
      "ground_truth": "1"}], "Reasoning": [{"prompt": "r", "ground_truth": "2"}]})"));

  EXPECT_EQ(probes(data, false).at(0).question, "r");
  EXPECT_EQ(probes(data, false).at(1).question, "l");
}

TEST(KnowEdit, EmptyPartsAreCountedByReason) {
  const EditFile data =
      read("recent", recent_row("{}", R"({"Forgetfulness": [], "Relation_Specificity": [
          {"prompt": "a", "ground_truth": [[], ["x"]]}, {"prompt": "b", "ground_truth": [[]]},
          {"prompt": "c", "ground_truth": ""}, {"prompt": "d", "ground_truth": [[""]]}],
          "Other": [1]})"));

  ASSERT_EQ(probes(data, /*locality=*/true).size(), 1U);
  EXPECT_EQ(probes(data, true)[0].answers, (Answers{{"x"}}));
  EXPECT_TRUE(probes(data, true)[0].target.empty());  // the first answer is blank
  EXPECT_THAT(
      data.skipped,
      UnorderedElementsAre(Pair("portability: empty", 1), Pair("locality.Forgetfulness: empty", 1),
                           Pair("locality.Relation_Specificity: empty answer", 4),
                           Pair("locality.Relation_Specificity: no answer", 3),
                           Pair("locality.Other: unknown kind", 1)));
}

TEST(KnowEdit, UnknownFieldsAreCountedByName) {
  const EditFile data = read("zsre", R"([{"subject": "s", "prompt": "p", "target_new": "t",
      "rephrase": "p?", "locality_prompt": "q", "cond": "c", "locality": {"Forgetfulness": [
          {"prompt": "a", "ground_truth": "b", "note": 1}]}}])");

  EXPECT_THAT(data.skipped,
              UnorderedElementsAre(Pair("rephrase: unknown field", 1),
                                   Pair("locality_prompt: unknown field", 1),
                                   Pair("locality.Forgetfulness.note: unknown field", 1)));
}

TEST(KnowEdit, ZsreReadsTheRowsOfMend) {
  const char* const row = R"row([{"subject": "Velquin Mill", "src": "Who built Velquin Mill?",
      "pred": "Ann Orr", "rephrase": "Whose work is Velquin Mill?", "alt": "Bo Lund",
      "answers": ["Ann Orr"], "loc": "nq question: how many legs has an ant", "loc_ans": "six",
      "cond": "Ann Orr >> Bo Lund || Who built Velquin Mill?",
      "portability": {"Recalled Relation": "(Bo Lund, born in, Tarn)",
                      "New Question": "Where was the builder of Velquin Mill born?",
                      "New Answer": "Tarn"}}])row";

  const EditFile data = read("zsre", row);

  EXPECT_TRUE(data.skipped.empty());
  EXPECT_EQ(side(data).src, "Who built Velquin Mill?");
  EXPECT_EQ(side(data).alt, "Bo Lund");
  EXPECT_THAT(side(data).rephrases, ElementsAre("Whose work is Velquin Mill?"));
  EXPECT_THAT(side(data).old_answers, ElementsAre("Ann Orr"));
  ASSERT_EQ(side(data).probes.size(), 2U);
  EXPECT_EQ(side(data).probes[0].kind, ProbeKind::kLocality);
  EXPECT_EQ(side(data).probes[0].target, "six");
  EXPECT_EQ(side(data).probes[1].kind, ProbeKind::kPortability);
  EXPECT_EQ(side(data).probes[1].target, "Tarn");
}

TEST(KnowEdit, EmptyOldAnswerIsUnknown) {
  const EditFile data = read(
      "counterfact",
      R"([{"subject": "s", "prompt": "p", "target_new": "t", "ground_truth": "", "portability": {}}])");

  EXPECT_TRUE(side(data).old_answers.empty());
  EXPECT_EQ(data.skipped.at("ground_truth: empty answer"), 1);
}

TEST(KnowEdit, MistakesNameFileRowAndPath) {
  const char* const set = "recent";
  EXPECT_THAT(
      error_of(set, recent_row(R"({"Reasoning": [{"prompt": null, "ground_truth": "x"}]})")),
      HasSubstr("rows.json: row 0: portability.Reasoning[0].prompt: expected a non-empty "
                "string, found null"));
  EXPECT_THAT(error_of(set, recent_row(R"({"Reasoning": [{"prompt": "p"}]})")),
              HasSubstr("portability.Reasoning[0].ground_truth: expected a string or a list, found "
                        "nothing"));
  EXPECT_THAT(
      error_of(set, recent_row(R"({"Reasoning": [{"prompt": "p", "ground_truth": [["a", 3]]}]})")),
      HasSubstr("portability.Reasoning[0].ground_truth[0][1]: expected a string, found a value of "
                "type number"));
  EXPECT_THAT(error_of(set, recent_row(R"({"Reasoning": {}})")),
              HasSubstr("portability.Reasoning: expected a list of probes, found a value of type "
                        "object"));
  EXPECT_THAT(error_of(set, recent_row(R"({"Reasoning": ["p"]})")),
              HasSubstr("portability.Reasoning[0]: expected an object {prompt, ground_truth}"));
  EXPECT_THAT(error_of(set, recent_row("[]")),
              HasSubstr("row 0: portability: expected an object {kind: list of probes}"));
  EXPECT_THAT(error_of(set, R"([{"subject": "s", "prompt": "p", "target_new": " "}])"),
              HasSubstr("row 0: target_new: expected a non-empty string, found only blanks"));
  EXPECT_THAT(error_of(set, "[3]"), HasSubstr("row 0: expected an object, found a value of type"));
  EXPECT_THAT(error_of(set, "[]"), HasSubstr("expected at least one row, found none"));
  EXPECT_THAT(error_of(set, "{}"), HasSubstr("expected an array of rows, found a value of type"));
}

TEST(KnowEdit, FolderGivesTheFileOfTheSplit) {
  const test::TempFolder folder;
  std::filesystem::create_directories(folder.path() / "WikiBio");
  std::filesystem::create_directories(folder.path() / "train");
  const auto test_file = folder.write("WikiBio/wikibio-test-all.json", "[]");
  const auto train_file = folder.write("train/train_cf.json", "[]");

  EXPECT_EQ(find_file("wikibio", folder.path(), Split::kTest), test_file);
  EXPECT_EQ(find_file("wikibio", folder.path() / "WikiBio", Split::kTest), test_file);
  EXPECT_EQ(find_file("counterfact", folder.path(), Split::kTrain), train_file);
  EXPECT_EQ(find_file("recent", train_file, Split::kTest), train_file);
}

TEST(KnowEdit, FolderWithoutOrWithTwoFilesIsAnError) {
  const test::TempFolder folder;
  const auto message = [&](const char* set, Split split) -> std::string {
    try {
      find_file(set, folder.path(), split);
    } catch (const Error& error) {
      return concat(error.kind(), " ", error.what());
    }
    return "";
  };

  EXPECT_THAT(message("recent", Split::kTest),
              HasSubstr("no test file of wiki_recent; looked for recent_test.json, "
                        "eval_from_recent_train.json in it, in wiki_recent and in test"));
  EXPECT_THAT(message("zsre", Split::kTrain), HasSubstr("MissingInputError"));
  folder.write("recent_test.json", "[]");
  folder.write("eval_from_recent_train.json", "[]");
  EXPECT_THAT(message("recent", Split::kTest), HasSubstr("DataError"));
}

}  // namespace
}  // namespace xkde
