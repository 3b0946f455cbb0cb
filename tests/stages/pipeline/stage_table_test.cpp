#include "stages/pipeline/stage_table.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"
#include "tests/stages/pipeline/all_stages.h"
#include "tests/support/message_of.h"

namespace xkde::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Recipe recipe_of_all_stages() { return parse_recipe(test::all_stages(), "r.yaml", kStageParsers); }

TEST(StageTable, HasARunnerForEveryParserAndNoOther) {
  std::vector<std::string> names;
  for (const StageRunner& runner : stage_table()) names.emplace_back(runner.name);

  EXPECT_EQ(names, names_of(kStageParsers));
  EXPECT_THAT(names, ElementsAre("build_data", "sft", "sample", "rank", "orpo", "evaluate",
                                 "capability", "covariance", "edit", "quantize", "export"));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

TEST(StageTable, ParsersGiveStagesOfTheirNames) {
  const Recipe recipe = recipe_of_all_stages();

  ASSERT_EQ(recipe.stages.size(), stage_table().size());
  for (size_t i = 0; i < recipe.stages.size(); ++i)
    EXPECT_EQ(&runner_of(*recipe.stages[i]), &stage_table()[i]);
}

TEST(StageTable, StagesThatChangeTheModelAreRestoredAndNoOther) {
  for (const StagePtr& stage : recipe_of_all_stages().stages) {
    const StageRunner& runner = runner_of(*stage);
    EXPECT_NE(runner.run, nullptr) << stage->name();
    EXPECT_EQ(runner.restore != nullptr, stage->changes_model()) << stage->name();
    const bool trains = stage->changes_model() && stage->name() != QuantizeStage::kName &&
                        stage->name() != EditStage::kName;
    EXPECT_EQ(runner.survey != nullptr, trains) << stage->name();
  }
}

TEST(StageTable, AFileThatAStageReadsIsLeftByTheStageThatItNames) {
  for (const StagePtr& stage : recipe_of_all_stages().stages) {
    const auto source = stage->source();
    if (!source) continue;
    bool is_left = false;
    for (const StageRunner& runner : stage_table())
      is_left |= runner.name == source->stage && runner.leaves.has_value();
    EXPECT_TRUE(is_left) << stage->name();
  }
}

/// A stage that is in no table.
struct StrayStage final : Stage {
  std::string_view name() const override { return "stray"; }
  Json keys() const override { return Json::object(); }
  void check_inputs(InputChecker& /*inputs*/) const override {}
};

TEST(StageTable, AStageThatIsNotInItIsAnError) {
  EXPECT_EQ(test::message_of<InternalError>([] { runner_of(StrayStage()); }),
            "stage stray: not in the table of stages");
}

TEST(StageTable, ANameThatIsNotInItIsAnErrorOfTheRecipe) {
  const auto read = [] {
    parse_recipe("model: {model_name_or_path: m}\nstages: [{exports: {path: p}}]\n", "r.yaml",
                 kStageParsers);
  };

  EXPECT_THAT(test::message_of<ConfigError>(read), HasSubstr("unknown stage; expected"));
  EXPECT_THAT(test::message_of<ConfigError>(read), HasSubstr("did you mean 'export'?"));
}

}  // namespace
}  // namespace xkde::recipe
