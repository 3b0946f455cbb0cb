#include "stages/preference/preference_stages.h"

#include "stages/recipe/slice_key.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kPromptFormats[] = {"model", "xk"};
constexpr std::string_view kRewards[] = {"nllb", "chrf", "encoder"};
constexpr std::string_view kGoldTests[] = {"strip_both", "strip_left"};
constexpr std::string_view kTruncationModes[] = {"keep_end", "keep_start"};

constexpr Condition<double> kTopP{"a number in (0, 1]",
                                  [](const double& value) { return value > 0 && value <= 1; }};
constexpr Condition<int64_t> kAnswers{
    "an integer from 1 to 1024", [](const int64_t& value) { return value >= 1 && value <= 1024; }};

}  // namespace

SampleStage SampleStage::parse(StrictMap map) {
  SampleStage stage;
  map.optional("train_data", stage.train_data);
  map.optional("records", stage.records, kSlice);
  map.optional("num_return_sequences", stage.num_return_sequences, kAnswers);
  map.optional("temperature", stage.temperature, kNotNegativeNumber);
  map.optional("top_k", stage.top_k, kNotNegative);
  map.optional("top_p", stage.top_p, kTopP);
  map.optional("max_new_tokens", stage.max_new_tokens, kPositive);
  map.optional("stop", stage.stop);
  map.optional("prompt_format", stage.prompt_format, Names{kPromptFormats});
  map.optional("max_sequences", stage.max_sequences, kPositive);
  map.optional("max_tokens_per_batch", stage.max_tokens_per_batch, kPositive);
  map.optional("prompts_per_chunk", stage.prompts_per_chunk, kPositive);
  map.refuse("n", "unknown key; did you mean 'num_return_sequences'?");
  map.refuse("max_tokens", "unknown key; did you mean 'max_new_tokens'?");
  map.done();
  return stage;
}

Json to_json(const SampleStage& stage) {
  Json json{{"train_data", stage.train_data},
            {"records", stage.records},
            {"num_return_sequences", stage.num_return_sequences},
            {"temperature", stage.temperature},
            {"top_k", stage.top_k},
            {"top_p", stage.top_p},
            {"max_new_tokens", stage.max_new_tokens}};
  // A list is never empty.
  if (!stage.stop.empty()) json["stop"] = stage.stop;
  json["prompt_format"] = stage.prompt_format;
  json["max_sequences"] = stage.max_sequences;
  json["max_tokens_per_batch"] = stage.max_tokens_per_batch;
  json["prompts_per_chunk"] = stage.prompts_per_chunk;
  return json;
}

RankStage RankStage::parse(StrictMap map) {
  RankStage stage;
  map.optional("samples", stage.samples);
  map.optional("reward", stage.reward, Names{kRewards});
  const bool has_model = map.has("model_name_or_path");
  map.optional("model_name_or_path", stage.model_name_or_path);
  if (stage.reward != "chrf" && !has_model) {
    map.add_error("reward",
                  "expected model_name_or_path beside reward: " + stage.reward + ", found none");
  }
  if (stage.reward == "chrf" && has_model) {
    map.add_error("model_name_or_path",
                  "expected reward: nllb or encoder beside this key, found chrf");
  }
  map.optional("source_language", stage.source_language);
  map.optional("target_language", stage.target_language);
  for (const char* key : {"source_language", "target_language"}) {
    if (stage.reward != "nllb" && map.has(key))
      map.add_error(key, "expected reward: nllb beside this key, found " + stage.reward);
  }
  map.optional("gold_test", stage.gold_test, Names{kGoldTests});
  map.optional("max_tokens_per_batch", stage.max_tokens_per_batch, kPositive);
  map.done();
  return stage;
}

Json to_json(const RankStage& stage) {
  Json json{{"samples", stage.samples}, {"reward", stage.reward}};
  if (stage.reward != "chrf") json["model_name_or_path"] = stage.model_name_or_path.string();
  if (stage.reward == "nllb") {
    json["source_language"] = stage.source_language;
    json["target_language"] = stage.target_language;
  }
  json["gold_test"] = stage.gold_test;
  json["max_tokens_per_batch"] = stage.max_tokens_per_batch;
  return json;
}

OrpoStage::OrpoStage() {
  num_train_epochs = 3;
  per_device_train_batch_size = 2;
  gradient_accumulation_steps = 16;
  learning_rate = 1e-6;
  warmup_steps = 100;
  weight_decay = 0.0;
  adam_beta2 = 0.999;
  loss_reduction = LossReduction::kMicroBatch;
  save_steps = 100;
  save_total_limit = 3;
}

OrpoStage OrpoStage::parse(StrictMap map) {
  OrpoStage stage;
  map.optional("pairs", stage.pairs);
  map.optional("beta", stage.beta, kNotNegativeNumber);
  stage.read(map);
  map.optional("max_length", stage.max_length, kPositive);
  map.optional("max_prompt_length", stage.max_prompt_length, kPositive);
  if (stage.max_prompt_length >= stage.max_length) {
    map.add_error("max_prompt_length", "expected less than max_length, found " +
                                           std::to_string(stage.max_prompt_length) + " and " +
                                           std::to_string(stage.max_length));
  }
  map.optional("truncation_mode", stage.truncation_mode, Names{kTruncationModes});
  map.optional("orpo_clamp", stage.orpo_clamp);
  map.optional("group_by_prompt", stage.group_by_prompt);
  map.optional("eval_steps", stage.eval_steps, kNotNegative);
  map.optional("max_dev_pairs", stage.max_dev_pairs, kPositive);
  map.optional("load_best_model_at_end", stage.load_best_model_at_end);
  map.optional("early_stopping_patience", stage.early_stopping_patience, kNotNegative);
  const bool needs_dev = stage.load_best_model_at_end || stage.early_stopping_patience > 0;
  if (stage.eval_steps == 0 && stage.early_stopping_patience > 0)
    map.add_error("early_stopping_patience",
                  "expected eval_steps above 0 beside this key, found 0");
  // As transformers: the best model must be one that was saved.
  if (stage.eval_steps > 0 && needs_dev && stage.save_steps % stage.eval_steps != 0) {
    map.add_error("save_steps", "expected 0 or a multiple of eval_steps (" +
                                    std::to_string(stage.eval_steps) + "), found " +
                                    std::to_string(stage.save_steps));
  }
  map.refuse("lambda", "unknown key; did you mean 'beta'?");
  map.done();
  return stage;
}

Json to_json(const OrpoStage& stage) {
  Json json{{"pairs", stage.pairs}, {"beta", stage.beta}};
  stage.write(json);
  json["max_length"] = stage.max_length;
  json["max_prompt_length"] = stage.max_prompt_length;
  json["truncation_mode"] = stage.truncation_mode;
  json["orpo_clamp"] = stage.orpo_clamp;
  json["group_by_prompt"] = stage.group_by_prompt;
  json["eval_steps"] = stage.eval_steps;
  json["max_dev_pairs"] = stage.max_dev_pairs;
  json["load_best_model_at_end"] = stage.load_best_model_at_end;
  json["early_stopping_patience"] = stage.early_stopping_patience;
  return json;
}

}  // namespace xkde::recipe
