#include "stages/build_data/built_data.h"

#include <map>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/edit/test_questions.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"
#include "tests/support/shared_folder.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

using Counts = std::map<std::string, int64_t>;

Json side(const std::string& language, int row) {
  const auto text = [&](const std::string& field) {
    return language + " " + field + " " + std::to_string(row);
  };
  return {{"subject", text("subject")},
          {"src", text("src")},
          {"rephrase", text("rephrase")},
          {"alt", text("alt")},
          {"loc", (language == "en" ? "nq question: " : "") + text("loc")},
          {"loc_ans", text("loc_ans")},
          {"portability", {{"New Question", text("port")}, {"New Answer", text("port_ans")}}}};
}

/// A folder with invented rows: parallel edits for training and testing, and a KnowEdit set.
class BuiltDataTest : public testing::Test {
 protected:
  BuiltDataTest() {
    write_parallel("mzsre_enes.json", 0, 20);
    write_parallel("test.json", 18, 22);
    Json rows = Json::array();
    for (int row = 0; row < 20; ++row) {
      const std::string tag = std::to_string(row);
      rows.push_back(
          {{"subject", "K" + tag},
           {"prompt", "The home of K" + tag + " is"},
           {"target_new", "Oss"},
           {"ground_truth", row == 0 ? "" : "Ede"},
           {"portability", Json::object()},
           {"locality",
            {{"Forgetfulness", {{{"prompt", "Aunt of K" + tag}, {"ground_truth", "Ada"}}}}}}});
    }
    folder_.write("train_cf.json", rows.dump());
    folder_.write("test_cf.json", Json::array({rows[5]}).dump());
  }

  void write_parallel(const std::string& name, int begin, int end) const {
    Json rows = Json::array();
    for (int row = begin; row < end; ++row)
      rows.push_back({{"en", side("en", row)}, {"es", side("es", row)}});
    folder_.write(name, rows.dump());
  }

  /// A recipe whose build_data has these sources and further keys; it asks the rows of test.json.
  Recipe recipe(const std::string& sources, const std::string& keys, int seed = 42) const {
    const std::string folder = folder_.path().string();
    std::string text = "model: {model_name_or_path: m}\nseed: " + std::to_string(seed) +
                       "\nstages:\n  - build_data:\n      sources: [" + sources + "]\n" + keys +
                       "  - evaluate: {benchmark: bizsre, data: FOLDER/test.json,\n"
                       "      edit_languages: [en], test_languages: [es]}\n";
    for (size_t at = text.find("FOLDER"); at != std::string::npos; at = text.find("FOLDER"))
      text.replace(at, 6, folder);
    return parse_recipe(text, "r.yaml", kStageParsers);
  }

  static BuiltData build(const Recipe& recipe) {
    LoadedData files;
    return build_data(as<BuildDataStage>(*recipe.stages.at(0)), recipe, files);
  }

  const std::string parallel_ =
      "{benchmark: mzsre, data: FOLDER, edit_languages: [en], test_languages: [es]}";
  const std::string knowedit_ =
      "{benchmark: counterfact, data: FOLDER, edit_languages: [en], test_languages: [en]}";
  test::TempFolder folder_;
};

std::string text_of(const BuiltData& built) {
  std::string text;
  for (const Conversation& row : built.conversations)
    text += row.id + "|" + row.turns[0].content + "|" + row.turns[1].content + "\n";
  return text;
}

TEST_F(BuiltDataTest, WithoutQuadrantsEveryListedQuestionIsASample) {
  const BuiltData built = build(recipe(parallel_, ""));

  // Rows 18 and 19 are test rows.
  EXPECT_EQ(built.conversations.size(), 54U);
  EXPECT_EQ(built.removed_test_questions, 6);
  EXPECT_TRUE(built.counts.is_null());
  EXPECT_EQ(built.conversations[2].id, "identity_2_mzsre_enes_loc");
}

TEST_F(BuiltDataTest, QuadrantsMixParallelEditsWithKnowEdit) {
  const BuiltData built =
      build(recipe(parallel_ + ", " + knowedit_, "      quadrants: {monolingual_share: 0.4}\n"));

  EXPECT_EQ(built.removed_test_questions, 2);
  const Json& counts = built.counts;
  const auto pairs = counts["language_pairs"].get<Counts>();
  const auto all = static_cast<double>(built.conversations.size());
  EXPECT_NEAR(static_cast<double>(pairs.at("enen")) / all, 0.4, 0.02);
  EXPECT_EQ(counts["sources"].get<Counts>().at("mzsre"), pairs.at("enes"));
  const auto skipped = counts["skipped"].get<Counts>();
  EXPECT_EQ(skipped.at("test question: src"), 2);
  EXPECT_EQ(skipped.at("counterfact: portability: empty"), 20);
  EXPECT_EQ(skipped.at("counterfact: ground_truth: empty answer"), 1);
  EXPECT_GE(skipped.at("old answer unknown"), 18);
  int64_t by_quadrant = 0;
  for (const auto& [name, count] : counts["quadrants"].get<Counts>()) by_quadrant += count;
  EXPECT_EQ(by_quadrant, static_cast<int64_t>(built.conversations.size()));
}

TEST_F(BuiltDataTest, SeedOfTheRecipeDecidesEveryDraw) {
  const std::string quadrants = "      quadrants: {}\n";
  const std::string both = parallel_ + ", " + knowedit_;

  const std::string first = text_of(build(recipe(both, quadrants)));

  EXPECT_EQ(text_of(build(recipe(both, quadrants))), first);
  EXPECT_NE(text_of(build(recipe(both, quadrants, 43))), first);
}

TEST_F(BuiltDataTest, NoTestQuestionIsAskedOrShown) {
  const BuiltData built =
      build(recipe(parallel_ + ", " + knowedit_,
                   "      quadrants: {monolingual_share: 0.5}\n"
                   "      exclude: [{benchmark: counterfact, data: FOLDER}]\n"));

  const std::string text = text_of(built);
  for (const char* asked : {"src 18", "src 19", "rephrase 18", "loc 19", "K5 is", "Aunt of K5"})
    EXPECT_EQ(text.find(asked), std::string::npos) << asked;
  EXPECT_NE(text.find("src 17"), std::string::npos);
}

TEST_F(BuiltDataTest, QuestionsOfAKnowEditEvaluationAreNotTrainedOn) {
  Recipe with_knowedit = recipe(knowedit_, "      quadrants: {}\n");
  auto evaluate = as<EvaluateStage>(*with_knowedit.stages.at(1));
  evaluate.benchmark = "counterfact";
  evaluate.data = folder_.path();
  with_knowedit.stages.at(1) = std::make_shared<EvaluateStage>(evaluate);

  const BuiltData built = build(with_knowedit);

  EXPECT_EQ(built.removed_test_questions, 1);
  EXPECT_EQ(text_of(built).find("K5 is"), std::string::npos);
}

TEST_F(BuiltDataTest, ExcludeHoldsForListedQuestionsToo) {
  write_parallel("other.json", 0, 2);

  const BuiltData built =
      build(recipe(parallel_, "      exclude: [{benchmark: bizsre, data: FOLDER/other.json}]\n"));

  EXPECT_EQ(built.removed_test_questions, 12);
  EXPECT_EQ(built.conversations.size(), 48U);
}

TEST_F(BuiltDataTest, WhatIsLeftOutIsToldByWhatItHasOfWhatIsAsked) {
  const auto left_out = [&](const std::string& rows) {
    LoadedData files;
    Recipe read = recipe(parallel_, "");
    auto evaluate = std::make_shared<EvaluateStage>(as<EvaluateStage>(*read.stages.at(1)));
    evaluate->records = rows;
    read.stages.at(1) = evaluate;
    return left_out_questions(as<BuildDataStage>(*read.stages.at(0)), read, files);
  };

  // Of the rows 18 to 21 that are asked, two are trained on.
  EXPECT_EQ(left_out(""), left_out("0:2"));
  EXPECT_EQ(left_out("0:3"), left_out("0:2"));
  EXPECT_NE(left_out("0:1"), left_out("0:2"));
  EXPECT_NE(left_out("2:"), left_out("0:1"));
}

TEST_F(BuiltDataTest, NothingLeftIsADataError) {
  try {
    build(recipe(parallel_,
                 "      quadrants: {}\n"
                 "      exclude: [{benchmark: mzsre, data: FOLDER}]\n"));
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("expected at least one training sample, found none (20 "
                                        "were test questions)"));
  }
}

TEST_F(BuiltDataTest, RecordsIsASliceOfKnowEditToo) {
  const std::string sliced =
      "{benchmark: counterfact, data: FOLDER, edit_languages: [en], "
      "test_languages: [en], records: \"1:3\"}";

  EXPECT_EQ(build(recipe(sliced, "      quadrants: {}\n")).conversations.size(), 8U);
}

TEST_F(BuiltDataTest, StatisticsAndSummaryCountSamples) {
  const BuiltData listed = build(recipe(parallel_, ""));
  EXPECT_EQ(statistics_of(listed).dump(), R"({"samples":54,"removed_test_questions":6})");
  EXPECT_EQ(summary_of(listed), "54 samples, 6 test questions left out");

  const BuiltData built =
      build(recipe(parallel_, "      quadrants: {distractors: [0, 1], with_edit_share: 1}\n"));
  EXPECT_EQ(summary_of(built),
            "36 samples (in_with_edit 18, out_with_edit 18), 2 test questions left out");
  EXPECT_EQ(statistics_of(built).dump(),
            R"({"samples":36,"removed_test_questions":2,"sources":{"mzsre":36},)"
            R"("language_pairs":{"enes":36},"quadrants":{"in_with_edit":18,"out_with_edit":18},)"
            R"("facts":{"2":36},"skipped":{"old answer unknown":18,"test question: src":2,)"
            R"("thinned out for a share":18}})");
}

TEST_F(BuiltDataTest, FilesAreThoseOfSourcesAndExclude) {
  const Recipe r = recipe(parallel_ + ", " + knowedit_,
                          "      quadrants: {}\n"
                          "      exclude: [{benchmark: counterfact, data: FOLDER}]\n");

  EXPECT_THAT(r.stages.at(0)->files(), UnorderedElementsAre(folder_.path() / "mzsre_enes.json",
                                                            folder_.path() / "train_cf.json",
                                                            folder_.path() / "test_cf.json"));
}

TEST_F(BuiltDataTest, SurveyAndStageShareOneSetAndParseEachFileOnce) {
  const Recipe r = recipe(parallel_ + ", " + knowedit_, "      quadrants: {}\n");
  const auto& stage = as<BuildDataStage>(*r.stages.at(0));
  RunData data;

  const BuiltData& surveyed = built_ahead(stage, r, data);
  const BuiltData& built = built_ahead(stage, r, data);

  EXPECT_EQ(&surveyed, &built);
  // mzsre_enes.json, train_cf.json and the evaluation's test.json.
  EXPECT_EQ(data.files.num_parsed(), 3);
  build_data(stage, r, data.files);
  EXPECT_EQ(data.files.num_parsed(), 3);
}

TEST(RealBuiltData, MixesBmikeWithKnowEditWithoutTestQuestions) {
  const std::filesystem::path data = test::shared_folder() / "data";
  if (!std::filesystem::exists(data / "knowedit"))
    GTEST_SKIP() << "no benchmark rows in " << test::shared_folder() << " (XKDE_SHARED_DIR)";
  std::string text =
      "model: {model_name_or_path: m}\nstages:\n  - build_data:\n      sources:\n"
      "        - {benchmark: bmike53, data: DATA/bmike53_zsre, edit_languages: [en, zh, de],\n"
      "           test_languages: [en, zh, de], records: \"0:300\"}\n"
      "        - {benchmark: counterfact, data: DATA/knowedit, edit_languages: [en],\n"
      "           test_languages: [en]}\n"
      "        - {benchmark: recent, data: DATA/knowedit, edit_languages: [en],\n"
      "           test_languages: [en]}\n"
      "        - {benchmark: wikibio, data: DATA/knowedit, edit_languages: [en],\n"
      "           test_languages: [en]}\n"
      "      quadrants: {}\n"
      "      exclude: [{benchmark: zsre, data: DATA/knowedit}]\n";
  for (size_t at = text.find("DATA"); at != std::string::npos; at = text.find("DATA"))
    text.replace(at, 4, data.string());
  const Recipe recipe = parse_recipe(text, "r.yaml", kStageParsers);

  LoadedData files;
  const BuiltData built = build_data(as<BuildDataStage>(*recipe.stages.at(0)), recipe, files);

  const auto pairs = built.counts["language_pairs"].get<Counts>();
  const double all = static_cast<double>(built.conversations.size());
  EXPECT_NEAR(static_cast<double>(pairs.at("enen") + pairs.at("zhzh") + pairs.at("dede")) / all,
              0.5, 0.001);
  TestQuestions asked;
  for (const EditRecord& record :
       benchmark_of("zsre").read(data / "knowedit/ZsRE/ZsRE-test-all.json").rows)
    asked.add(record);
  EXPECT_GT(built.removed_test_questions, 0);
  for (const Conversation& row : built.conversations) {
    const std::string& user = row.turns[0].content;
    const size_t tag = user.rfind("[Query]:\n");
    EXPECT_FALSE(asked.contains(tag == std::string::npos ? user : user.substr(tag + 9))) << row.id;
  }
  const auto quadrants = built.counts["quadrants"].get<Counts>();
  EXPECT_NEAR(
      static_cast<double>(quadrants.at("in_with_edit") + quadrants.at("in_without_edit")) / all,
      0.5, 0.03);
}

}  // namespace
}  // namespace xkde::recipe
