#include "core/data/benchmarks/knowedit.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

using Answers = std::vector<std::vector<std::string>>;

KnowEditDataset read(KnowEditSet set, const std::string& text) {
  const test::TempFolder folder;
  return read_knowedit(set, folder.write("rows.json", text));
}

std::string error_of(KnowEditSet set, const std::string& text) {
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
  const KnowEditDataset data = read(KnowEditSet::kZsre, R"([{
      "subject": "Tor Bridge", "prompt": "What does Tor Bridge cross?", "target_new": " Tessel",
      "ground_truth": ["Lorne", "River Lorne"], "rephrase_prompt": "Tor Bridge crosses what?",
      "cond": "Lorne >> Tessel || What does Tor Bridge cross?",
      "locality": {"Relation_Specificity": [{"prompt": "It was built by", "ground_truth": ["Ida"]}]},
      "portability": {"Subject_Aliasing": [{"prompt": "TB crosses", "ground_truth": "Tessel"}]}}])");

  ASSERT_EQ(data.records.size(), 1U);
  const KnowEditRecord& record = data.records[0];
  EXPECT_EQ(record.subject, "Tor Bridge");
  EXPECT_EQ(record.target, " Tessel");
  EXPECT_EQ(record.rephrase, "Tor Bridge crosses what?");
  EXPECT_THAT(record.old_answers, ElementsAre("Lorne", "River Lorne"));
  ASSERT_EQ(record.portability.size(), 1U);
  EXPECT_EQ(record.portability[0].kind, ProbeKind::kSubjectAliasing);
  EXPECT_EQ(record.portability[0].answers, (Answers{{"Tessel"}}));
  ASSERT_EQ(record.locality.size(), 1U);
  EXPECT_EQ(record.locality[0].answers, (Answers{{"Ida"}}));
  EXPECT_THAT(data.used,
              UnorderedElementsAre(Pair("rows", 1), Pair("locality.Relation_Specificity", 1),
                                   Pair("portability.Subject_Aliasing", 1)));
  EXPECT_TRUE(data.skipped.empty());
}

TEST(KnowEdit, WikibioRowIsPassageNextSentenceAndConcept) {
  const KnowEditDataset data = read(KnowEditSet::kWikibio, R"([{
      "text": "This is about ada pell. ", "labels": "She sang.", "concept": "ada pell",
      "locality": {"Relation_Specificity": [{"prompt": "Her field is", "ground_truth": ["song"]}]}}])");

  EXPECT_EQ(data.records.at(0).subject, "ada pell");
  EXPECT_EQ(data.records[0].prompt, "This is about ada pell. ");
  EXPECT_EQ(data.records[0].target, "She sang.");
  EXPECT_TRUE(data.records[0].rephrase.empty());
  EXPECT_TRUE(data.records[0].old_answers.empty());
  EXPECT_TRUE(data.records[0].portability.empty());
}

TEST(KnowEdit, NestedListsAreAnswersWithAliases) {
  const KnowEditDataset data =
      read(KnowEditSet::kRecent,
           recent_row(
               R"({"Reasoning": [{"prompt": "p", "ground_truth": [["yes", "aye"], ["true"]]}]})"));

  EXPECT_EQ(data.records.at(0).portability.at(0).answers, (Answers{{"yes", "aye"}, {"true"}}));
}

TEST(KnowEdit, KindsComeInOneOrderWhateverTheFiles) {
  const KnowEditDataset data =
      read(KnowEditSet::kRecent, recent_row(R"({"Logical_Generalization": [{"prompt": "l",
      "ground_truth": "1"}], "Reasoning": [{"prompt": "r", "ground_truth": "2"}]})"));

  EXPECT_EQ(data.records.at(0).portability.at(0).prompt, "r");
  EXPECT_EQ(data.records[0].portability.at(1).prompt, "l");
}

TEST(KnowEdit, EmptyPartsAreCountedByReason) {
  const KnowEditDataset data =
      read(KnowEditSet::kRecent, recent_row("{}", R"({"Forgetfulness": [], "Relation_Specificity": [
          {"prompt": "a", "ground_truth": [[], ["x"]]}, {"prompt": "b", "ground_truth": [[]]},
          {"prompt": "c", "ground_truth": ""}, {"prompt": "d", "ground_truth": [[""]]}],
          "Other": [1]})"));

  ASSERT_EQ(data.records.at(0).locality.size(), 1U);
  EXPECT_EQ(data.records[0].locality[0].answers, (Answers{{"x"}}));
  EXPECT_THAT(
      data.skipped,
      UnorderedElementsAre(Pair("portability: empty", 1), Pair("locality.Forgetfulness: empty", 1),
                           Pair("locality.Relation_Specificity: empty answer", 4),
                           Pair("locality.Relation_Specificity: no answer", 3),
                           Pair("locality.Other: unknown kind", 1)));
}

TEST(KnowEdit, EmptyOldAnswerIsUnknown) {
  const KnowEditDataset data = read(
      KnowEditSet::kCounterfact,
      R"([{"subject": "s", "prompt": "p", "target_new": "t", "ground_truth": "", "portability": {}}])");

  EXPECT_TRUE(data.records.at(0).old_answers.empty());
  EXPECT_EQ(data.skipped.at("ground_truth: empty answer"), 1);
}

TEST(KnowEdit, MistakesNameFileRowAndPath) {
  const auto set = KnowEditSet::kRecent;
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

TEST(KnowEdit, NamesAreTheRecipes) {
  EXPECT_EQ(knowedit_from_name("wikibio"), KnowEditSet::kWikibio);
  EXPECT_TRUE(is_knowedit_name("counterfact"));
  EXPECT_FALSE(is_knowedit_name("mzsre"));
  try {
    knowedit_from_name("zsrre");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("expected one of zsre, wikibio, recent, counterfact, found \"zsrre\""));
  }
}

TEST(KnowEdit, FolderGivesTheFileOfTheSplit) {
  const test::TempFolder folder;
  std::filesystem::create_directories(folder.path() / "WikiBio");
  std::filesystem::create_directories(folder.path() / "train");
  const auto test_file = folder.write("WikiBio/wikibio-test-all.json", "[]");
  const auto train_file = folder.write("train/train_cf.json", "[]");

  EXPECT_EQ(find_knowedit_file(KnowEditSet::kWikibio, folder.path(), KnowEditSplit::kTest),
            test_file);
  EXPECT_EQ(
      find_knowedit_file(KnowEditSet::kWikibio, folder.path() / "WikiBio", KnowEditSplit::kTest),
      test_file);
  EXPECT_EQ(find_knowedit_file(KnowEditSet::kCounterfact, folder.path(), KnowEditSplit::kTrain),
            train_file);
  EXPECT_EQ(find_knowedit_file(KnowEditSet::kRecent, train_file, KnowEditSplit::kTest), train_file);
}

TEST(KnowEdit, FolderWithoutOrWithTwoFilesIsAnError) {
  const test::TempFolder folder;
  const auto message = [&](KnowEditSet set, KnowEditSplit split) -> std::string {
    try {
      find_knowedit_file(set, folder.path(), split);
    } catch (const Error& error) {
      return concat(error.kind(), " ", error.what());
    }
    return "";
  };

  EXPECT_THAT(message(KnowEditSet::kRecent, KnowEditSplit::kTest),
              HasSubstr("no test file of wiki_recent; looked for recent_test.json, "
                        "eval_from_recent_train.json in it, in wiki_recent and in test"));
  EXPECT_THAT(message(KnowEditSet::kZsre, KnowEditSplit::kTrain), HasSubstr("MissingInputError"));
  folder.write("recent_test.json", "[]");
  folder.write("eval_from_recent_train.json", "[]");
  EXPECT_THAT(message(KnowEditSet::kRecent, KnowEditSplit::kTest), HasSubstr("DataError"));
}

}  // namespace
}  // namespace xkde
