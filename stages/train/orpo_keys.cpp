#include "stages/train/orpo_keys.h"

#include "core/base/error.h"
#include "core/data/preference_rows.h"

namespace xkde::recipe {
namespace {

constexpr ForeignKeys kForeignOrpoKeys[] = {
    {"lambda orpo_alpha pref_beta", "did you mean 'beta'?"},
    {"evaluation_strategy eval_strategy", "did you mean 'eval_steps'?"},
    {"eval_dataset val_size val_set_size",
     "the rows of pairs with \"split\": \"dev\" are what is measured; did you mean "
     "'max_dev_pairs'?"},
    {"metric_for_best_model", "it is always the loss of the dev pairs"},
    {"dataset data train_file data_path train_dataset train_data datasets",
     "did you mean 'pairs'?"},
};

/// Reads all pairs. What can be told before they are tokens: one of them is trained on.
void check_pairs(const std::filesystem::path& file) {
  int64_t dev = 0, equal = 0;
  for (const PairRow& row : read_pairs(file)) {
    if (row.chosen == row.rejected) {
      ++equal;
    } else if (row.is_dev) {
      ++dev;
    } else {
      return;
    }
  }
  throw DataError(concat(file.string(), ": expected at least one pair to train on, found none (",
                         dev, " dev pairs, ", equal, " with equal texts)"));
}

}  // namespace

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

void OrpoStage::each_key(StrictMap map) {
  map.path_or_name("pairs", pairs);
  map.optional("beta", beta, kNotNegativeNumber);
  each_train_key(map);
  map.optional("max_length", max_length, kPositive);
  map.optional("max_prompt_length", max_prompt_length, kPositive);
  const bool knows_lengths = map.knows("max_length") && map.knows("max_prompt_length");
  if (knows_lengths && max_prompt_length >= max_length) {
    map.add_error("max_prompt_length", "expected less than max_length, found " +
                                           std::to_string(max_prompt_length) + " and " +
                                           std::to_string(max_length));
  }
  map.optional("truncation_mode", truncation_mode, kTruncationModes);
  map.optional("orpo_clamp", orpo_clamp);
  map.optional("group_by_prompt", group_by_prompt);
  map.optional("eval_steps", eval_steps, kNotNegative);
  map.optional("max_dev_pairs", max_dev_pairs, kPositive);
  map.optional("load_best_model_at_end", load_best_model_at_end);
  map.optional("early_stopping_patience", early_stopping_patience, kNotNegative);
  const bool needs_dev = load_best_model_at_end || early_stopping_patience > 0;
  if (eval_steps == 0 && early_stopping_patience > 0 && map.knows("eval_steps"))
    map.add_error("early_stopping_patience",
                  "expected eval_steps above 0 beside this key, found 0");
  // As transformers: the best model must be one that was saved.
  if (eval_steps > 0 && needs_dev && save_steps % eval_steps != 0 && map.knows("save_steps")) {
    map.add_error("save_steps", "expected 0 or a multiple of eval_steps (" +
                                    std::to_string(eval_steps) + "), found " +
                                    std::to_string(save_steps));
  }
  map.refuse_foreign(kForeignOrpoKeys);
  map.done();
}

std::vector<std::string_view> OrpoStage::free_keys() const {
  std::vector<std::string_view> keys = save_keys();
  // The best model is one of those that were saved.
  if (load_best_model_at_end && eval_steps > 0) std::erase(keys, "save_steps");
  return keys;
}

void OrpoStage::check_inputs(InputChecker& inputs) const {
  if (!uses_ranked_pairs() && inputs.opens("pairs", pairs, "rank or a pairs.jsonl"))
    inputs.reads("pairs", [&] { check_pairs(pairs); });
  // max_length is cut to the context: an answer must have a token left.
  const int64_t context = inputs.context_length();
  if (context > 0 && max_prompt_length >= context) {
    inputs.refuse("max_prompt_length",
                  concat("expected less than the ", context,
                         " tokens of the model's context, found ", max_prompt_length));
  }
}

std::set<std::filesystem::path> OrpoStage::files() const {
  if (uses_ranked_pairs()) return {};
  return {pairs};
}

std::optional<StageSource> OrpoStage::source() const {
  if (!uses_ranked_pairs()) return std::nullopt;
  return StageSource{"pairs", kRanked};
}

}  // namespace xkde::recipe
