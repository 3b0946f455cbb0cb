#include "stages/pipeline/run_plan.h"

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "distributed/planner/machine_probe.h"
#include "stages/pipeline/stage_parsers.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/golden_models.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

using ::testing::HasSubstr;

/// A model of 2 layers without weights, and a training file with two conversations.
class RunPlanTest : public ::testing::Test {
 protected:
  RunPlanTest() {
    model_.config.vocab_size = 128;
    model_.config.hidden_size = 32;
    model_.config.intermediate_size = 64;
    model_.config.num_hidden_layers = 2;
    model_.config.num_attention_heads = 2;
    model_.config.num_key_value_heads = 2;
    model_.config.head_dim = 16;
    model_.config.max_position_embeddings = 256;
    place_.bytes = int64_t{1} << 33;
  }

  std::optional<RunPlan> plan(const std::string& stages, const std::string& parallel = "",
                              const Artifacts& artifacts = {}) const {
    const Recipe recipe =
        parse_recipe("model: {model_name_or_path: m, dtype: float32}\nparallel: {" + parallel +
                         "}\nstages:\n" + stages,
                     "r.yaml", kStageParsers);
    RunData data;
    return plan_run(recipe, model_, ChatTemplate::select("chatml", ""), Decoder(model_.config),
                    place_, data, artifacts);
  }

  static std::string sft_of(const std::string& train_data) {
    return "  - sft: {train_data: " + train_data + "}\n";
  }

  test::TempFolder folder_;
  std::string train_ = folder_
                           .write("train.json",
                                  R"([{"conversations": [{"from": "human", "value": "what?"},
                                         {"from": "gpt", "value": "that"}]},
                    {"conversations": [{"from": "human", "value": "who?"},
                                         {"from": "gpt", "value": "somebody"}]}])")
                           .string();
  PretrainedModel model_{.path = {},
                         .config = {},
                         .tokenizer = test::byte_tokenizer(),
                         .chat_template = "",
                         .generation_config = nullptr,
                         .weights = nullptr,
                         .files = {}};
  RunPlace place_ = this_place(1, 1, at::kCPU, at::kFloat);
};

constexpr const char* kEvaluation =
    "  - evaluate: {benchmark: mzsre, data: d, edit_languages: [en], test_languages: [es]}\n";
constexpr const char* kBuild =
    "  - build_data:\n"
    "      sources: [{benchmark: mzsre, data: nowhere, edit_languages: [en],\n"
    "                 test_languages: [es]}]\n";

TEST_F(RunPlanTest, IsNothingWhereNoStageTrains) { EXPECT_FALSE(plan(kEvaluation).has_value()); }

TEST_F(RunPlanTest, KeepsWhatTheRecipeSays) {
  const auto run = plan(sft_of(train_), "shard: full, recompute: block");

  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->plan.options.shard, dist::ShardMode::kFull);
  EXPECT_EQ(run->plan.options.recompute, dist::Recompute::kBlock);
}

TEST_F(RunPlanTest, CountsTheSamplesAndStepsOfAnSftStage) {
  const auto run = plan(kEvaluation + sft_of(train_));

  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->workload.stage, 1U);
  EXPECT_EQ(run->workload.samples, 2);
  EXPECT_EQ(run->workload.steps, 10) << "five epochs of two batches of one";
  EXPECT_GT(run->workload.tokens, 0);
}

TEST_F(RunPlanTest, ReadsWhatAFinishedBuildDataStageLeft) {
  const std::string stages = std::string(kBuild) + "  - sft: {}\n";
  Artifacts artifacts;
  artifacts.add(ArtifactKind::kTrainData, 0, train_);

  const auto run = plan(stages, "", artifacts);

  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->workload.samples, 2);
  EXPECT_THROW(plan(stages), MissingInputError) << "without the file it builds the samples itself";
}

TEST_F(RunPlanTest, TakesTheFileOfTheBuildDataStageThatTheSftStageReads) {
  const std::string stages = std::string(kBuild) + "  - sft: {}\n" + kBuild + "  - sft: {}\n";
  Artifacts artifacts;
  artifacts.add(ArtifactKind::kTrainData, 0, train_);

  EXPECT_THROW(plan(stages, "", artifacts), MissingInputError)
      << "what the first stage left says nothing about the second";
}

TEST_F(RunPlanTest, SurveysPairsThatAreNotThereYet) {
  const auto run = plan("  - orpo: {pairs: nowhere.jsonl}\n");

  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->workload.samples, 32) << "a global batch";
  EXPECT_EQ(run->request.pack_key, "orpo.max_tokens_per_pack");
  EXPECT_TRUE(run->request.memory.saves_async) << "saves every 100 steps beside the next ones";
}

TEST_F(RunPlanTest, ASaveAtTheEndIsNotBesideSteps) {
  const auto run = plan(sft_of(train_));

  ASSERT_TRUE(run.has_value());
  EXPECT_FALSE(run->request.memory.saves_async);
}

TEST_F(RunPlanTest, ARecipeThatDoesNotFitIsRefused) {
  place_.bytes = 1000;

  EXPECT_THAT(test::message_of<ConfigError>([&] { plan(sft_of(train_)); }), HasSubstr("rank"));
}

TEST_F(RunPlanTest, HasAnExampleWhereTheFirstRankHasNoPrompt) {
  place_.ranks = 2;

  const auto run = plan("  - orpo: {pairs: nowhere.jsonl, global_batch_size: 2}\n");

  ASSERT_TRUE(run.has_value());
  EXPECT_GT(run->workload.example.num_tokens(), 0);
}

/// Windows, two tables of rotations, norms of heads, caps, partial rotation.
class RunPlanOfFamily : public RunPlanTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(RunPlanOfFamily, IsMadeAndItsStepTimed) {
  model_.config = golden_config(GetParam());
  place_.ranks = 2;
  const Decoder decoder(model_.config);

  const auto run =
      plan("  - orpo: {pairs: nowhere.jsonl, max_length: 24, max_prompt_length: 12}\n");

  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->request.model.parameters(), dist::shape_of(decoder).parameters());
  const dist::MachineConstants machine =
      dist::probe_cpu(decoder, run->workload.example, run->plan.options, place_.ranks);
  const double seconds = dist::predict_step(run->request.model, run->plan.options, place_.ranks,
                                            run->request.work, machine)
                             .total();
  EXPECT_GT(seconds, 0.0);
  EXPECT_LT(seconds, 60.0);
}

INSTANTIATE_TEST_SUITE_P(Golden, RunPlanOfFamily, ::testing::ValuesIn(golden_models()),
                         golden_name);

}  // namespace
}  // namespace xkde::recipe
