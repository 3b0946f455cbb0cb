#include "stages/preference/rank_keys.h"

#include <vector>

#include "core/model/encoders/encoder_files.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kRewards[] = {"nllb", "chrf", "encoder"};
constexpr std::string_view kGoldTests[] = {"strip_both", "strip_left"};

/// The files of the stage's reward model; none for chrf. Throws MissingInputError.
std::vector<std::filesystem::path> reward_files(const RankStage& stage) {
  if (stage.reward == "nllb") return nllb_files(stage.model_name_or_path);
  if (stage.reward == "encoder") return sentence_encoder_files(stage.model_name_or_path);
  return {};
}

}  // namespace

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

Json RankStage::keys() const {
  Json json{{"samples", samples}, {"reward", reward}};
  if (reward != "chrf") json["model_name_or_path"] = model_name_or_path.string();
  if (reward == "nllb") {
    json["source_language"] = source_language;
    json["target_language"] = target_language;
  }
  json["gold_test"] = gold_test;
  json["max_tokens_per_batch"] = max_tokens_per_batch;
  return json;
}

void RankStage::check_inputs(InputChecker& inputs) const {
  if (!uses_own_samples()) inputs.opens("samples", samples, "sample or a samples.jsonl");
  if (reward != "chrf")
    inputs.opens("model_name_or_path", model_name_or_path,
                 "the Hugging Face folder of a reward model");
}

std::set<std::filesystem::path> RankStage::files() const {
  std::set<std::filesystem::path> files;
  if (!uses_own_samples()) files.insert(samples);
  for (const std::filesystem::path& file : reward_files(*this)) files.insert(file);
  return files;
}

std::optional<StageSource> RankStage::source() const {
  if (!uses_own_samples()) return std::nullopt;
  return StageSource{"samples", kSampled};
}

}  // namespace xkde::recipe
