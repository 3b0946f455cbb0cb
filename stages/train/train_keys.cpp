#include "stages/train/train_keys.h"

#include <cmath>
#include <string_view>
#include <utility>

namespace xkde::recipe {
namespace {

constexpr ForeignKeys kForeignTrainKeys[] = {
    {"lr", "did you mean 'learning_rate'?"},
    {"epochs num_epochs n_epochs max_epochs", "did you mean 'num_train_epochs'?"},
    {"num_steps max_train_steps train_steps iterations", "did you mean 'max_steps'?"},
    {"batch_size train_batch_size per_gpu_train_batch_size micro_batch_size per_device_batch_size",
     "did you mean 'per_device_train_batch_size'?"},
    {"accumulation_steps grad_accum_steps accumulate_grad_batches",
     "did you mean 'gradient_accumulation_steps'?"},
    {"warmup_ratio", "did you mean 'warmup_steps', where a value below 1 is a ratio?"},
    {"warmup num_warmup_steps", "did you mean 'warmup_steps'?"},
    {"scheduler lr_scheduler", "did you mean 'lr_scheduler_type'?"},
    {"optimizer", "did you mean 'optim'?"},
    {"betas", "did you mean 'adam_beta1' and 'adam_beta2'?"},
    {"eps epsilon", "did you mean 'adam_epsilon'?"},
    {"clip_grad grad_clip max_norm gradient_clipping gradient_clip_val",
     "did you mean 'max_grad_norm'?"},
    {"cutoff_len max_seq_length max_seq_len sequence_len model_max_length block_size",
     "did you mean 'max_length'?"},
    {"neat_packing sample_packing padding_free group_by_length", "did you mean 'packing'?"},
    {"save_strategy", "save_steps says it"},
    {"lora_r lora_rank r rank", "did you mean 'lora.r'?"},
    {"lora_alpha alpha", "did you mean 'lora.alpha'?"},
    {"lora_dropout", "did you mean 'lora.dropout'?"},
    {"lora_target lora_target_modules target_modules", "did you mean 'lora.target_modules'?"},
    {"use_rslora", "did you mean 'lora.rslora'?"},
    {"use_peft use_lora peft_config lora_config finetuning_type", "did you mean 'lora'?"},
    {"load_in_8bit load_in_4bit quantization_bit quantization_config", "did you mean 'lora.base'?"},
    {"adapter adapter_name_or_path", "model.adapter of the recipe says it"},
    {"model_name_or_path", "model.model_name_or_path of the recipe says it"},
    {"bf16 fp16 tf32 pure_bf16 half_precision_backend dtype torch_dtype mixed_precision",
     "model.dtype of the recipe says it"},
    {"chat_template chat_template_path template", "model.chat_template of the recipe says it"},
    {"gradient_checkpointing activation_checkpointing", "parallel.recompute of the recipe says it"},
    {"fsdp fsdp_config deepspeed", "parallel.shard of the recipe says it"},
    {"ddp_timeout", "parallel.timeout of the recipe says it"},
    {"ddp_backend", "parallel.backend of the recipe says it"},
    {"output_dir seed logging_steps report_to run_name",
     "it belongs to the top level of the recipe"},
    {"data_seed", "seed of the recipe says it"},
    {"logging_strategy log_interval", "logging_steps of the recipe says it"},
    {"logging_dir", "report_to of the recipe says whether event files are written"},
    {"do_eval per_device_eval_batch_size per_gpu_eval_batch_size eval_batch_size",
     "a stage evaluate asks the model, as many questions at once as fit"},
    {"push_to_hub hub_model_id", "nothing is sent anywhere; a stage export writes the model"},
};
constexpr ForeignKeys kForeignLoraKeys[] = {
    {"load_in_8bit", "did you mean 'base: q8_0'?"},
    {"load_in_4bit", "did you mean 'base: as_stored', with a Q4_K_M file as the model?"},
    {"rank lora_r lora_rank", "did you mean 'r'?"},
    {"lora_alpha", "did you mean 'alpha'?"},
    {"lora_dropout", "did you mean 'dropout'?"},
    {"use_rslora", "did you mean 'rslora'?"},
    {"lora_target", "did you mean 'target_modules'?"},
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
  map.refuse_foreign(kForeignLoraKeys);
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
  map.refuse_foreign(kForeignTrainKeys);
}

}  // namespace xkde::recipe
