#include "stages/train/sft_keys.h"

#include "core/data/conversation.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kSampleFormats[] = {"ours", "xeit_v2"};
constexpr std::string_view kTruncations[] = {"end", "proportional"};

}  // namespace

SftStage SftStage::parse(StrictMap map) {
  SftStage stage;
  map.optional("train_data", stage.train_data);
  stage.read(map);
  map.optional("labelled_head", stage.labelled_head);
  map.optional("sample_format", stage.sample_format, Names{kSampleFormats});
  map.optional("train_on_end_of_turn", stage.train_on_end_of_turn);
  if (stage.sample_format != "ours" && map.has("train_on_end_of_turn"))
    map.add_error("train_on_end_of_turn",
                  "expected sample_format: ours beside this key, found " + stage.sample_format);
  map.optional("max_length", stage.max_length, kPositive);
  map.optional("truncation", stage.truncation, Names{kTruncations});
  map.optional("keep_best", stage.keep_best);
  map.done();
  return stage;
}

Json SftStage::keys() const {
  Json json{{"train_data", train_data}};
  write(json);
  json["labelled_head"] = labelled_head;
  json["sample_format"] = sample_format;
  // The other format has no such choice.
  if (sample_format == "ours") json["train_on_end_of_turn"] = train_on_end_of_turn;
  json["max_length"] = max_length;
  json["truncation"] = truncation;
  json["keep_best"] = keep_best;
  return json;
}

std::vector<std::string_view> SftStage::free_keys() const {
  std::vector<std::string_view> keys = save_keys();
  keys.emplace_back("keep_best");
  return keys;
}

void SftStage::check_inputs(InputChecker& inputs) const {
  if (uses_built_data()) return;
  if (inputs.opens("train_data", train_data, "build_data or a training file"))
    inputs.reads("train_data", [&] { inputs.files().conversations(train_data); });
}

std::set<std::filesystem::path> SftStage::files() const {
  if (uses_built_data()) return {};
  return {train_data};
}

std::optional<StageSource> SftStage::source() const {
  if (!uses_built_data()) return std::nullopt;
  return StageSource{"train_data", kBuiltData};
}

}  // namespace xkde::recipe
