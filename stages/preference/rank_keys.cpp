#include "stages/preference/rank_keys.h"

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/data/preference_rows.h"
#include "core/model/encoders/check_encoders.h"

namespace xkde::recipe {
namespace {

/// "nllb or encoder": the rewards of which `has` holds.
template <typename Predicate>
std::string rewards_that(Predicate has) {
  std::vector<std::string> names;
  for (const RewardEntry& entry : kRewards) {
    if (has(entry)) names.emplace_back(entry.name);
  }
  return alternatives(names);
}

}  // namespace

void check_encoder_reward_of(const RankStage& stage) {
  check_sentence_encoder(stage.model_name_or_path);
}

void check_nllb_reward_of(const RankStage& stage) {
  check_nllb_reward(stage.model_name_or_path, stage.nllb_options());
}

void RankStage::each_key(StrictMap map) {
  map.path_or_name("samples", samples);
  map.optional("reward", reward, kRewards);
  const RewardEntry& entry = reward_entry();
  const bool has_model = map.has("model_name_or_path");
  map.written_if(entry.files != nullptr, "model_name_or_path", model_name_or_path);
  const bool is_known = map.knows("reward");
  if (is_known && entry.files != nullptr && !has_model) {
    map.add_error("reward", concat("expected model_name_or_path beside reward: ", entry.name,
                                   ", found none"));
  }
  const auto add_wrong_reward = [&](const char* key, const std::string& expected) {
    if (!is_known) return;
    map.add_error(key,
                  concat("expected reward: ", expected, " beside this key, found ", entry.name));
  };
  if (entry.files == nullptr && has_model) {
    add_wrong_reward("model_name_or_path",
                     rewards_that([](const RewardEntry& one) { return one.files != nullptr; }));
  }
  map.written_if(entry.asks_languages, "source_language", source_language);
  map.written_if(entry.asks_languages, "target_language", target_language);
  for (const char* key : {"source_language", "target_language"}) {
    if (entry.asks_languages || !map.has(key)) continue;
    add_wrong_reward(key, rewards_that([](const RewardEntry& one) { return one.asks_languages; }));
  }
  if (map.asks("prefix", prefix)) {
    map.optional("prefix", *prefix);
    if (reward != RewardKind::kEncoder) add_wrong_reward("prefix", "encoder");
  }
  map.optional("gold_test", gold_test, kGoldTests);
  map.optional("max_tokens_per_batch", max_tokens_per_batch, kPositive);
  map.done();
}

void RankStage::check_inputs(InputChecker& inputs) const {
  if (!uses_own_samples() && inputs.opens("samples", samples, "sample or a samples.jsonl"))
    inputs.reads("samples", [&] { read_samples(samples); });
  const auto check = reward_entry().check;
  if (check == nullptr) return;
  if (inputs.opens("model_name_or_path", model_name_or_path,
                   "the Hugging Face folder of a reward model")) {
    inputs.reads("model_name_or_path", [&] { check(*this); });
  }
}

NllbRewardOptions RankStage::nllb_options() const {
  NllbRewardOptions options{.max_tokens_per_batch = max_tokens_per_batch};
  if (source_language != "auto") options.source_code = source_language;
  if (target_language != "auto") options.target_code = target_language;
  return options;
}

std::set<std::filesystem::path> RankStage::files() const {
  std::set<std::filesystem::path> files;
  if (!uses_own_samples()) files.insert(samples);
  if (const auto files_of_model = reward_entry().files) {
    for (const std::filesystem::path& file : files_of_model(model_name_or_path)) files.insert(file);
  }
  return files;
}

std::optional<StageSource> RankStage::source() const {
  if (!uses_own_samples()) return std::nullopt;
  return StageSource{"samples", kSampled};
}

}  // namespace xkde::recipe
