#include "stages/recipe/recorded_recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"
#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

using testing::HasSubstr;

/// run.json of a run of `text`.
Json record_of(const std::string& text) {
  return {
      {"run_name", "r"},          {"recipe", resolved(parse_recipe(text, "r.yaml", kStageParsers))},
      {"inputs", Json::object()}, {"end", nullptr},
      {"exit_reason", "done"},    {"stages", {"01-export"}}};
}

constexpr const char* kText = R"(
run_name: one
output_dir: runs/one
seed: 7
model: {model_name_or_path: models/runs/one}
stages:
  - export: {path: runs/one/hf}
  - export: {path: runs/one_more/hf}
)";

Recipe read_record(const std::vector<std::string>& overrides = {}) {
  return parse_recipe(record_of(kText).dump(1), "run.json", kStageParsers, overrides);
}

TEST(RecordedRecipe, IsTheRecipeThatRan) {
  EXPECT_EQ(resolved(read_record()), resolved(parse_recipe(kText, "r.yaml", kStageParsers)));
}

TEST(RecordedRecipe, TakesWhatLayInTheOldFolderIntoANewOne) {
  const Json moved =
      resolved(read_record({"output_dir=runs/first", "seed=8", "output_dir=runs/two/"}));
  EXPECT_EQ(moved["seed"], 8);
  EXPECT_EQ(moved["stages"][0]["export"]["path"], "runs/two/hf");
  EXPECT_EQ(moved["stages"][1]["export"]["path"], "runs/one_more/hf");
  EXPECT_EQ(moved["model"]["model_name_or_path"], "models/runs/one");
}

TEST(RecordedRecipe, OfAnotherFolderTakesQuotedTextsToo) {
  const Json moved = resolved(read_record({"output_dir='my runs/two'"}));
  EXPECT_EQ(moved["stages"][0]["export"]["path"], "my runs/two/hf");
}

TEST(RecordedRecipe, OfAnotherFolderKeepsItsNameAndLeavesTheOldOneAlone) {
  const std::string text =
      "run_name: one\noutput_dir: one/\nmodel: {model_name_or_path: m}\nstages: "
      "[export: {path: one/hf}]\n";
  const Json moved =
      resolved(parse_recipe(record_of(text).dump(), "run.json", kStageParsers, {"output_dir=two"}));
  EXPECT_EQ(moved["run_name"], "one");
  EXPECT_EQ(moved["output_dir"], "two");
  EXPECT_EQ(moved["stages"][0]["export"]["path"], "two/hf");
}

TEST(RecordedRecipe, NamesThePlaceOfAMistakeInTheFile) {
  Json record = record_of(kText);
  record["recipe"]["sed"] = 1;
  const std::string text = record.dump(1);
  size_t line = 1;
  for (size_t at = 0; at < text.find("\"sed\""); ++at) line += text[at] == '\n' ? 1 : 0;
  EXPECT_THAT(error_of(text, {}, "run.json"), HasSubstr("run.json:" + std::to_string(line) + ":"));
}

/// The recipe `text` as the run "two" in runs/s/two.
YamlPtr other_run(const std::string& text) {
  return as_another_run(recipe_tree(text, "r.yaml", kStageParsers, {}), "runs/r", "two",
                        "runs/s/two");
}

TEST(AnotherRun, TakesWhatLayInTheOldFolderAlong) {
  const YamlPtr run =
      other_run("seed: 1\noutput_dir: runs/one/\nexports: [runs/one/hf, runs/one2]\n");

  EXPECT_EQ(run->find("run_name")->value->text, "two");
  EXPECT_EQ(run->find("output_dir")->value->text, "runs/s/two");
  EXPECT_EQ(run->find("exports")->value->items[0]->text, "runs/s/two/hf");
  EXPECT_EQ(run->find("exports")->value->items[1]->text, "runs/one2");
  EXPECT_EQ(run->entries.front().key, "run_name");
}

TEST(AnotherRun, LeavesWordsThatAreCalledLikeTheFolder) {
  const YamlPtr run = other_run("output_dir: mzsre\nbenchmark: mzsre\nexport: mzsre/hf\n");

  EXPECT_EQ(run->find("benchmark")->value->text, "mzsre");
  EXPECT_EQ(run->find("export")->value->text, "runs/s/two/hf");
}

TEST(AnotherRun, OfARecipeWithoutAFolderLeavesTheDefaultOne) {
  for (const char* named : {"", "output_dir:\n"}) {
    const YamlPtr run = other_run(named + std::string("export: runs/r/hf\nmodel: /m\ndata: ''\n"));

    EXPECT_EQ(run->find("export")->value->text, "runs/s/two/hf");
    EXPECT_EQ(run->find("model")->value->text, "/m");
    EXPECT_EQ(run->find("data")->value->text, "");
    EXPECT_EQ(run->find("output_dir")->value->text, "runs/s/two");
  }
}

TEST(RecordedRecipe, IsNotWhatOnlyHasSuchAKey) {
  EXPECT_THAT(error_of("recipe: {a: 1}\nstages: []\n"), HasSubstr("recipe: unknown key"));
}

}  // namespace
}  // namespace xkde::recipe
