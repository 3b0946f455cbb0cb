#include "stages/recipe/overrides.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Recipe read(const std::vector<std::string>& overrides) {
  return parse_recipe(kSmallRecipe, "r.yaml", kStageParsers, overrides);
}

const SftStage& sft_of(const Recipe& recipe) { return as<SftStage>(*recipe.stages.at(1)); }

/// kSmallRecipe with a second sft stage at position 4.
std::string two_sft() { return std::string(kSmallRecipe) + "  - sft: {max_steps: 7}\n"; }

TEST(Overrides, SetKeysOfTheRecipe) {
  const Recipe recipe = read({"seed=7", "model.dtype=float32", "parallel.shard=full"});

  EXPECT_EQ(recipe.seed, 7);
  EXPECT_EQ(recipe.model.dtype, Dtype::kFloat32);
  EXPECT_EQ(recipe.parallel.shard, dist::ShardMode::kFull);
}

TEST(Overrides, ReachStagesByNameAndByPosition) {
  EXPECT_EQ(sft_of(read({"sft.learning_rate=1e-4"})).learning_rate, 1e-4);
  EXPECT_EQ(sft_of(read({"stages.1.learning_rate=1e-4"})).learning_rate, 1e-4);
  EXPECT_EQ(sft_of(read({"stages.1.sft.learning_rate=1e-4"})).learning_rate, 1e-4);
  EXPECT_EQ(sft_of(read({"sft.max_steps=-1"})).max_steps, -1);
  EXPECT_FALSE(sft_of(read({"sft.packing=false"})).packing);
}

TEST(Overrides, ReachItemsOfListsAndReplaceLists) {
  const Recipe recipe =
      read({"build_data.sources.0.records=-25:", "build_data.sources.0.test_languages=[de, \"zh\"]",
            "evaluate.test_languages.0=nl"});

  const auto& source = as<BuildDataStage>(*recipe.stages.at(0)).sources.at(0);
  EXPECT_EQ(source.records, "-25:");
  EXPECT_THAT(source.test_languages, ElementsAre("de", "zh"));
  EXPECT_THAT(as<EvaluateStage>(*recipe.stages.at(2)).test_languages, ElementsAre("nl"));
}

TEST(Overrides, ALaterOneWins) { EXPECT_EQ(read({"seed=1", "seed=2"}).seed, 2); }

TEST(Overrides, GiveWhatTheFileLacks) {
  EXPECT_EQ(error_of(with(kSmallRecipe, "  model_name_or_path: models/tiny", "  dtype: float32"),
                     {"model.model_name_or_path=m"}),
            "");
}

TEST(Overrides, LeaveTheOtherUsersOfAnAnchorAlone) {
  std::string text = with(kSmallRecipe, "- sft: {}", "- sft: &s {max_steps: 3}");
  text += "  - sft: *s\n";

  const Recipe recipe = parse_recipe(text, "r.yaml", kStageParsers, {"stages.1.max_steps=5"});

  EXPECT_EQ(as<SftStage>(*recipe.stages.at(1)).max_steps, 5);
  EXPECT_EQ(as<SftStage>(*recipe.stages.at(4)).max_steps, 3);
}

TEST(Overrides, StageThatIsThereTwiceNeedsItsPosition) {
  EXPECT_EQ(error_of(two_sft(), {"sft.max_steps=1"}),
            "command line: sft.max_steps: expected one stage 'sft', found 2; write "
            "stages.1.sft.max_steps or stages.4.sft.max_steps");
  EXPECT_EQ(as<SftStage>(
                *parse_recipe(two_sft(), "r", kStageParsers, {"stages.4.max_steps=1"}).stages.at(4))
                .max_steps,
            1);
  EXPECT_EQ(error_of(two_sft(), {"stages.4.max_step=1"}),
            "command line: stages.4.sft.max_step: unknown key; did you mean 'max_steps'?");
}

TEST(Overrides, AreCheckedLikeTheFile) {
  struct Case {
    const char* override_text;
    const char* message;
  };
  const Case cases[] = {
      {"sft.learnig_rate=1",
       "command line: sft.learnig_rate: unknown key; did you mean "
       "'learning_rate'?"},
      {"sft.learning_rate=fast",
       "command line: sft.learning_rate: expected a positive number, "
       "found fast"},
      {"sft.packing=yes", "command line: sft.packing: expected true or false, found yes"},
      {"sft.learning_rate=",
       "command line: sft.learning_rate: expected a positive number, found "
       "nothing"},
      {"sft.learning_rate='1e-4'", "expected a positive number, found \"1e-4\""},
      {"modle.dtype=float32", "command line: modle.dtype: unknown key; did you mean 'model'?"},
      {"sfft.max_steps=1", "command line: sfft.max_steps: unknown key; did you mean 'sft'?"},
      {"zebra=1", "command line: zebra: unknown key; expected run_name, seed, "},
      {"orpo.beta=1", "expected a stage of this recipe, found none named 'orpo'"},
      {"stages.9.max_steps=1",
       "command line: stages.9.max_steps: expected a stage below 4, found "
       "9"},
      {"stages.x.max_steps=1", "expected stages.N.key=value with N from 0"},
      {"stages=[]", "command line: stages: expected stages.N.key=value with N from 0"},
      {"build_data.sources.1.data=x", "expected a position below 1, found 1"},
      {"build_data.sources.first.data=x", "expected a position below 1, found first"},
      {"run_name.x=1",
       "command line: run_name.x: expected a mapping or list that holds 'x', "
       "found small"},
      {"sft..max_steps=1", "expected key.path=value, found an empty key"},
      {"=1", "expected key.path=value, found an empty key"},
      {"seed", "command line: expected key.path=value, found seed"},
      {"model={dtype: float32}", "expected a scalar or a list, found a mapping"},
      {"model=x", "command line: model: expected a mapping (key: value), found x"},
      {"evaluate.sizes=[1", "command line: evaluate.sizes: expected a scalar or a list, found [1"},
  };
  for (const Case& one : cases)
    EXPECT_THAT(error_of(kSmallRecipe, {one.override_text}), HasSubstr(one.message));
}

TEST(Overrides, RemoveAKeyThatThenHasItsDefault) {
  const std::string text = with(kSmallRecipe, "- sft: {}", "- sft: {max_steps: 3, lora: {r: 4}}");

  const Recipe recipe = parse_recipe(text, "r.yaml", kStageParsers,
                                     {"sft.lora~", "run_name~", "stages.1.max_steps~"});

  EXPECT_FALSE(sft_of(recipe).lora);
  EXPECT_EQ(sft_of(recipe).max_steps, SftStage().max_steps);
  EXPECT_EQ(recipe.run_name, "r");
}

TEST(Overrides, RemoveStagesAndItemsOfLists) {
  const auto names = [](const Recipe& recipe) {
    std::vector<std::string> all;
    for (const StagePtr& stage : recipe.stages) all.emplace_back(stage->name());
    return all;
  };
  EXPECT_THAT(names(read({"sft~"})), ElementsAre("build_data", "evaluate", "export"));
  EXPECT_THAT(names(read({"stages.2~"})), ElementsAre("build_data", "sft", "export"));
  EXPECT_THAT(names(read({"stages.3.export~"})), ElementsAre("build_data", "sft", "evaluate"));
  const Recipe recipe = read({"build_data.sources.0.test_languages.0~"});
  EXPECT_THAT(as<BuildDataStage>(*recipe.stages.at(0)).sources.at(0).test_languages,
              ElementsAre("fr"));
}

TEST(Overrides, RemoveInTheOrderWritten) {
  EXPECT_EQ(sft_of(read({"sft.max_steps=5", "sft.max_steps~"})).max_steps, SftStage().max_steps);
  EXPECT_EQ(sft_of(read({"sft.lora.r=5", "sft.lora~", "sft.max_steps=5"})).max_steps, 5);
}

TEST(Overrides, LeaveTheOtherUsersOfAnAnchorWhatIsRemoved) {
  std::string text = with(kSmallRecipe, "- sft: {}", "- sft: &s {max_steps: 3}");
  text += "  - sft: *s\n";

  const Recipe recipe = parse_recipe(text, "r.yaml", kStageParsers, {"stages.1.max_steps~"});

  EXPECT_EQ(sft_of(recipe).max_steps, SftStage().max_steps);
  EXPECT_EQ(as<SftStage>(*recipe.stages.at(4)).max_steps, 3);
}

TEST(Overrides, RemoveOnlyWhatIsThere) {
  struct Case {
    const char* override_text;
    const char* message;
  };
  const Case cases[] = {
      {"sft.lora~",
       "command line: sft.lora: expected a key of the recipe to remove, found none called 'lora'"},
      {"model.model_name_or_pat~",
       "found none called 'model_name_or_pat'; did you mean "
       "'model_name_or_path'?"},
      {"modle~", "command line: modle: unknown key; did you mean 'model'?"},
      {"orpo~", "expected a stage of this recipe, found none named 'orpo'"},
      {"stages.9~", "command line: stages.9: expected a stage below 4, found 9"},
      {"build_data.sources.1~", "expected a position below 1, found 1"},
      {"run_name.x~", "expected a key of the recipe to remove, found none called 'x'"},
      {"sft..x~", "expected key.path~, found an empty key"},
      {"~", "expected key.path~, found an empty key"},
      {"model~", "r.yaml:1:1: model.model_name_or_path: expected a path, found no such key"},
      {"stages~", "r.yaml:1:1: stages: expected a list of mappings, found no such key"},
  };
  for (const Case& one : cases)
    EXPECT_THAT(error_of(kSmallRecipe, {one.override_text}), HasSubstr(one.message));
  EXPECT_THAT(error_of(two_sft(), {"sft~"}), HasSubstr("write stages.1.sft~ or stages.4.sft~"));
}

TEST(Overrides, RefuseEndlessPaths) {
  std::string path = "model";
  for (int i = 0; i < 100000; ++i) path += ".a";

  EXPECT_THAT(error_of(kSmallRecipe, {path + "=1"}), HasSubstr("expected at most 32 keys"));
}

TEST(Overrides, MistakesOfFileAndCommandLineAreReportedTogether) {
  EXPECT_EQ(error_of(with(kSmallRecipe, "run_name: small", "sead: 1"), {"seed=x", "sft.lr=2"}),
            "r.yaml: 3 errors\n"
            "r.yaml:1:1: sead: unknown key; did you mean 'seed'?\n"
            "command line: seed: expected an integer of at least 0, found x\n"
            "command line: sft.lr: unknown key; did you mean 'learning_rate'?");
}

}  // namespace
}  // namespace xkde::recipe
