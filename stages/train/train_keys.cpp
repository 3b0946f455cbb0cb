#include "stages/train/train_keys.h"

#include <cmath>
#include <string_view>
#include <utility>

namespace xkde::recipe {
namespace {

/// Keys that users of other trainers write, and what to write here.
constexpr std::pair<std::string_view, std::string_view> kForeignKeys[] = {
    {"warmup_ratio", "unknown key; did you mean 'warmup_steps', where a value below 1 is a ratio?"},
    {"optimizer", "unknown key; did you mean 'optim'?"},
    {"lr", "unknown key; did you mean 'learning_rate'?"},
    {"epochs", "unknown key; did you mean 'num_train_epochs'?"},
    {"batch_size", "unknown key; did you mean 'per_device_train_batch_size'?"},
    {"bf16", "unknown key; model.dtype of the recipe says it"},
    {"fp16", "unknown key; model.dtype of the recipe says it"},
    {"gradient_checkpointing", "unknown key; parallel.recompute of the recipe says it"},
    {"output_dir", "unknown key; it belongs to the top level of the recipe"},
    {"seed", "unknown key; it belongs to the top level of the recipe"},
    {"logging_steps", "unknown key; it belongs to the top level of the recipe"},
};

constexpr Condition<int64_t> kBatchSize{"an integer from 1 to 1000000",
                                        {.least = 1, .most = 1000000}};
constexpr Condition<int64_t> kGlobalBatchSize{"an integer from 0 to 1000000",
                                              {.least = 0, .most = 1000000}};
constexpr Condition<int64_t> kProfileSteps{"an integer from 0 to 1000", {.least = 0, .most = 1000}};
constexpr Condition<int64_t> kMaxSteps{"an integer of at least 0, or -1 for no limit",
                                       {.least = -1}};
constexpr Condition<double> kWarmup{
    "a positive integer (steps) or a number in [0, 1) (share of all steps)",
    {.least = 0, .most = 1e12, .is_open_above = true},
    [](const double& value) { return value < 1 || value == std::floor(value); }};

constexpr Condition<int64_t> kRank{"an integer from 1 to 65536", {.least = 1, .most = 65536}};

void each_lora_key(StrictMap map, LoraOptions& lora) {
  map.optional("r", lora.r, kRank);
  map.optional("alpha", lora.alpha, kPositiveNumber);
  map.optional("dropout", lora.dropout, kShare);
  map.optional("target_modules", lora.target_modules);
  map.optional("rslora", lora.rslora);
  map.optional("base", lora.base, kFrozenForms);
  map.refuse("load_in_8bit", "unknown key; did you mean 'base: q8_0'?");
  map.refuse("load_in_4bit",
             "unknown key; did you mean 'base: as_stored', with a Q4_K_M file as the model?");
  map.refuse("lora_alpha", "unknown key; did you mean 'alpha'?");
  map.refuse("lora_dropout", "unknown key; did you mean 'dropout'?");
  map.refuse("use_rslora", "unknown key; did you mean 'rslora'?");
  map.done();
}

}  // namespace

int64_t TrainKeys::total_steps(int64_t steps_per_epoch) const {
  if (max_steps >= 0) return max_steps;
  return static_cast<int64_t>(std::ceil(num_train_epochs * static_cast<double>(steps_per_epoch)));
}

std::vector<std::string_view> TrainKeys::save_keys() {
  return {"save_steps", "save_total_limit", "async_save", "resume_from_checkpoint",
          "profile_steps"};
}

void TrainKeys::each_train_key(StrictMap& map) {
  map.optional("num_train_epochs", num_train_epochs, kPositiveNumber);
  map.optional("max_steps", max_steps, kMaxSteps);
  const bool has_parts = global_batch_size == 0;
  map.written_if(has_parts, "per_device_train_batch_size", per_device_train_batch_size, kBatchSize);
  map.written_if(has_parts, "gradient_accumulation_steps", gradient_accumulation_steps, kBatchSize);
  map.optional("global_batch_size", global_batch_size, kGlobalBatchSize);
  for (const char* key : {"per_device_train_batch_size", "gradient_accumulation_steps"}) {
    if (global_batch_size > 0 && map.has(key))
      map.add_error(key, "expected global_batch_size or this key, found both");
  }
  map.optional("learning_rate", learning_rate, kPositiveNumber);
  map.optional("lr_scheduler_type", lr_scheduler_type, kLrScheduleNames);
  map.optional("warmup_steps", warmup_steps, kWarmup);
  map.optional("optim", optim, kOptimizers);
  map.optional("weight_decay", weight_decay, kNotNegativeNumber);
  map.optional("adam_beta1", adam_beta1, kShare);
  map.optional("adam_beta2", adam_beta2, kShare);
  map.optional("adam_epsilon", adam_epsilon, kPositiveNumber);
  map.optional("max_grad_norm", max_grad_norm, kPositiveNumber);
  map.optional("loss_reduction", loss_reduction, kLossReductionNames);
  map.optional("packing", packing);
  map.optional("token_tree", token_tree);
  map.optional("max_tokens_per_pack", max_tokens_per_pack, kPositive);
  map.optional("last_batch", last_batch, kLastBatchNames);
  map.optional("save_steps", save_steps, kNotNegative);
  map.optional("save_total_limit", save_total_limit, kPositive);
  map.optional("async_save", async_save);
  map.optional("resume_from_checkpoint", resume_from_checkpoint, kResumeNames);
  map.optional("profile_steps", profile_steps, kProfileSteps);
  if (map.asks("lora", lora)) each_lora_key(map.map("lora"), *lora);
  for (const auto& [key, why] : kForeignKeys) map.refuse(key, std::string(why));
}

}  // namespace xkde::recipe
