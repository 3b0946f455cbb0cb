#include "stages/recipe/recipe.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

using ::testing::ElementsAre;

TEST(Recipe, DefaultsOfTheRecipeAreThoseOfTheDocumentation) {
  const Recipe recipe =
      parse_recipe(with(kSmallRecipe, "run_name: small", ""), "dir/name.yaml", kStageParsers);

  EXPECT_EQ(recipe.run_name, "name");
  EXPECT_EQ(recipe.seed, 42);
  EXPECT_EQ(recipe.output_dir, "runs/name");
  EXPECT_EQ(recipe.logging_steps, 10);
  EXPECT_EQ(recipe.model.dtype, Dtype::kBFloat16);
  EXPECT_EQ(recipe.model.chat_template, "auto");
  EXPECT_EQ(recipe.parallel.backend, std::nullopt);
  EXPECT_EQ(recipe.parallel.shard, std::nullopt);
  EXPECT_EQ(recipe.parallel.replicate, 1);
  EXPECT_EQ(recipe.parallel.recompute, std::nullopt);
  EXPECT_EQ(recipe.parallel.threads, 0);
}

TEST(Recipe, SftDefaultsAreThoseOfThePapersCode) {
  const Recipe recipe = parse_recipe(kSmallRecipe, "r.yaml", kStageParsers);
  const auto& sft = as<SftStage>(*recipe.stages.at(1));

  // Protocol 4.1.
  EXPECT_EQ(sft.num_train_epochs, 5);
  EXPECT_EQ(sft.max_steps, -1);
  EXPECT_EQ(sft.per_device_train_batch_size, 1);
  EXPECT_EQ(sft.gradient_accumulation_steps, 1);
  EXPECT_EQ(sft.learning_rate, 1e-5);
  EXPECT_EQ(sft.lr_scheduler_type, LrScheduleKind::kCosine);
  EXPECT_EQ(sft.warmup_steps, 0.05);
  EXPECT_EQ(sft.weight_decay, 1e-4);
  EXPECT_EQ(sft.adam_beta1, 0.9);
  EXPECT_EQ(sft.adam_beta2, 0.95);
  EXPECT_EQ(sft.adam_epsilon, 1e-8);
  EXPECT_EQ(sft.max_grad_norm, 1.0);
  EXPECT_EQ(sft.max_length, 32768);
  EXPECT_TRUE(sft.train_on_end_of_turn);
  // Ours.
  EXPECT_TRUE(sft.uses_built_data());
  EXPECT_EQ(sft.global_batch_size, 0);
  EXPECT_EQ(sft.loss_reduction, LossReduction::kTokenMean);
  EXPECT_TRUE(sft.packing);
  EXPECT_TRUE(sft.token_tree);
  EXPECT_EQ(sft.max_tokens_per_pack, 1024);
  EXPECT_EQ(sft.save_steps, 0);
  EXPECT_EQ(sft.save_total_limit, 2);
  EXPECT_TRUE(sft.async_save);
  EXPECT_FALSE(sft.keep_best);
  EXPECT_EQ(sft.resume_from_checkpoint, ResumeFrom::kNewest);
}

TEST(Recipe, DefaultsOfTheOtherStagesAreThoseOfTheDocumentation) {
  const Recipe recipe = parse_recipe(kSmallRecipe, "r.yaml", kStageParsers);

  const auto& build = as<BuildDataStage>(*recipe.stages.at(0));
  EXPECT_FALSE(build.without_edit);
  EXPECT_EQ(build.max_samples, 0);
  EXPECT_EQ(build.sources.at(0).records, "");
  EXPECT_THAT(build.sources.at(0).questions, ElementsAre("src", "rephrase", "loc"));
  const auto& evaluate = as<EvaluateStage>(*recipe.stages.at(2));
  EXPECT_EQ(evaluate.mode, EditMode::kSingle);
  EXPECT_THAT(evaluate.sizes, ElementsAre(1));
  EXPECT_EQ(evaluate.max_tokens_per_batch, 2048);
  EXPECT_EQ(as<ExportStage>(*recipe.stages.at(3)).dtype, Dtype::kBFloat16);
}

TEST(Recipe, KeepsWhatIsWritten) {
  const Recipe recipe = parse_recipe(
      "run_name: a\nseed: 7\noutput_dir: $${HOME}/x\n"
      "model: {model_name_or_path: a~/m, dtype: float32, chat_template: llama2}\n"
      "parallel: {backend: mpi, shard: optimizer, replicate: 2, recompute: block, threads: 3,\n"
      "           prefetch: 2, grad_reduce_dtype: bfloat16, offload_optimizer: true,\n"
      "           deterministic: true, compare_copies: 7}\n"
      "stages:\n"
      "  - evaluate: {benchmark: bizsre, data: d, edit_languages: [cs], test_languages: [du, en],\n"
      "               mode: single, sizes: [1], records: '-25:', max_tokens_per_batch: 9}\n"
      "  - sft: {train_data: f.json, global_batch_size: 8, warmup_steps: 100, max_steps: 0,\n"
      "          lr_scheduler_type: constant, loss_reduction: micro_batch, packing: false}\n",
      "r.yaml", kStageParsers);

  EXPECT_EQ(recipe.output_dir, "${HOME}/x");
  EXPECT_EQ(recipe.model.model_name_or_path, "a~/m");
  EXPECT_EQ(recipe.model.chat_template, "llama2");
  EXPECT_EQ(recipe.parallel.threads, 3);
  EXPECT_EQ(recipe.parallel.replicate, 2);
  EXPECT_EQ(recipe.parallel.prefetch, 2);
  EXPECT_EQ(recipe.parallel.grad_reduce_dtype, Dtype::kBFloat16);
  EXPECT_TRUE(recipe.parallel.offload_optimizer);
  EXPECT_TRUE(recipe.parallel.deterministic);
  EXPECT_EQ(recipe.parallel.compare_copies, 7);
  const auto& evaluate = as<EvaluateStage>(*recipe.stages.at(0));
  EXPECT_EQ(evaluate.benchmark, "bizsre");
  EXPECT_EQ(evaluate.data, "d");
  EXPECT_THAT(evaluate.test_languages, ElementsAre("du", "en"));
  EXPECT_EQ(evaluate.records, "-25:");
  const auto& sft = as<SftStage>(*recipe.stages.at(1));
  EXPECT_FALSE(sft.uses_built_data());
  EXPECT_EQ(sft.global_batch_size, 8);
  EXPECT_EQ(sft.warmup_steps, 100);
  EXPECT_EQ(sft.max_steps, 0);
}

TEST(Recipe, StageWithoutKeysTakesItsDefaults) {
  const Recipe recipe =
      parse_recipe(with(kSmallRecipe, "- sft: {}", "- sft:"), "r.yaml", kStageParsers);

  EXPECT_EQ(as<SftStage>(*recipe.stages.at(1)).learning_rate, 1e-5);
}

TEST(Recipe, ResolvedRecipeReadsBackAsTheSameRecipe) {
  for (const char* sft : {"- sft: {}", "- sft: {global_batch_size: 16, learning_rate: 3.0e-7}"}) {
    const Json all =
        resolved(parse_recipe(with(kSmallRecipe, "- sft: {}", sft), "r.yaml", kStageParsers));

    for (const int indent : {-1, 1})
      EXPECT_EQ(resolved(parse_recipe(all.dump(indent), "again.yaml", kStageParsers)), all)
          << all.dump(1);
  }
}

TEST(Recipe, ResolvedRecipeIsOrderedAndComplete) {
  const std::string text = std::string("report_to: [tensorboard]\n") + kSmallRecipe;
  const Json all = resolved(parse_recipe(text, "r.yaml", kStageParsers));

  std::vector<std::string> keys;
  for (const auto& [key, value] : all.items()) keys.push_back(key);
  EXPECT_EQ(keys, recipe_keys());
  EXPECT_EQ(all["stages"].size(), 4U);
  EXPECT_EQ(all["stages"][1]["sft"].size(), 31U);
  EXPECT_EQ(all["stages"][0]["build_data"]["sources"][0]["questions"].dump(),
            R"(["src","rephrase","loc"])");
}

TEST(Recipe, RemembersWhereValuesStand) {
  const Recipe recipe =
      parse_recipe(kSmallRecipe, "r.yaml", kStageParsers, {"evaluate.data=elsewhere"});

  EXPECT_EQ(recipe.origin.place_of("model.model_name_or_path"), "r.yaml:3:23");
  EXPECT_EQ(recipe.origin.place_of("build_data.sources.0.data"), "r.yaml:8:17");
  EXPECT_EQ(recipe.origin.place_of("evaluate.data"), "command line");
  EXPECT_EQ(recipe.origin.place_of("sft.train_data"), "r.yaml");
}

TEST(Recipe, NamesStagesByTheShortestPathThatIsUnique) {
  const Recipe recipe = parse_recipe(std::string(kSmallRecipe) + "  - sft: {max_steps: 3}\n",
                                     "r.yaml", kStageParsers);

  EXPECT_THAT(recipe.origin.stage_paths,
              ElementsAre("build_data", "stages.1.sft", "evaluate", "export", "stages.4.sft"));
  EXPECT_EQ(recipe.stages.at(4)->name(), "sft");
}

TEST(Recipe, ReadsFilesAndSaysWhichIsMissing) {
  const auto path = std::filesystem::temp_directory_path() / "xkde_recipe_test.yaml";
  std::ofstream(path) << kSmallRecipe;

  const Recipe recipe = read_recipe(path, kStageParsers, {"seed=3"});
  std::filesystem::remove(path);

  EXPECT_EQ(recipe.seed, 3);
  EXPECT_THROW(read_recipe(path, kStageParsers), MissingInputError);
}

TEST(Recipe, RecipesOfTheProjectAreValid) {
  int64_t read = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(XKDE_SOURCE_DIR "/recipes")) {
    if (entry.path().extension() != ".yaml") continue;
    EXPECT_NO_THROW(read_recipe(entry.path(), kStageParsers)) << entry.path();
    ++read;
  }
  EXPECT_GT(read, 0);
}

}  // namespace
}  // namespace xkde::recipe
