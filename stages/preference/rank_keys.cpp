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

RankStage RankStage::parse(StrictMap map) {
  RankStage stage;
  map.optional("samples", stage.samples);
  map.optional("reward", stage.reward, kRewards);
  const RewardEntry& reward = stage.reward_entry();
  const bool has_model = map.has("model_name_or_path");
  map.optional("model_name_or_path", stage.model_name_or_path);
  if (reward.files != nullptr && !has_model) {
    map.add_error("reward", concat("expected model_name_or_path beside reward: ", reward.name,
                                   ", found none"));
  }
  const auto add_wrong_reward = [&](const char* key, const std::string& expected) {
    map.add_error(key,
                  concat("expected reward: ", expected, " beside this key, found ", reward.name));
  };
  if (reward.files == nullptr && has_model) {
    add_wrong_reward("model_name_or_path",
                     rewards_that([](const RewardEntry& entry) { return entry.files != nullptr; }));
  }
  map.optional("source_language", stage.source_language);
  map.optional("target_language", stage.target_language);
  for (const char* key : {"source_language", "target_language"}) {
    if (reward.asks_languages || !map.has(key)) continue;
    add_wrong_reward(key,
                     rewards_that([](const RewardEntry& entry) { return entry.asks_languages; }));
  }
  if (map.has("prefix")) {
    map.optional("prefix", stage.prefix.emplace());
    if (stage.reward != RewardKind::kEncoder) add_wrong_reward("prefix", "encoder");
  }
  map.optional("gold_test", stage.gold_test, kGoldTests);
  map.optional("max_tokens_per_batch", stage.max_tokens_per_batch, kPositive);
  map.done();
  return stage;
}

Json RankStage::keys() const {
  const RewardEntry& entry = reward_entry();
  Json json{{"samples", samples}, {"reward", entry.name}};
  if (entry.files != nullptr) json["model_name_or_path"] = model_name_or_path.string();
  if (entry.asks_languages) {
    json["source_language"] = source_language;
    json["target_language"] = target_language;
  }
  if (prefix) json["prefix"] = *prefix;
  json["gold_test"] = name_of(kGoldTests, gold_test);
  json["max_tokens_per_batch"] = max_tokens_per_batch;
  return json;
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
