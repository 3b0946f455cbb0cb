#include "stages/train/sft_keys.h"

#include "core/data/conversation.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kSampleFormats[] = {"ours", "xeit_v2"};
constexpr std::string_view kTruncations[] = {"end", "proportional"};
constexpr ForeignKeys kForeignSftKeys[] = {
    {"evaluation_strategy eval_strategy eval_steps eval_dataset val_size val_set_size",
     "a stage evaluate behind this one asks the model"},
    {"load_best_model_at_end metric_for_best_model", "did you mean 'keep_best'?"},
    {"dataset data train_file data_path train_dataset datasets", "did you mean 'train_data'?"},
};

}  // namespace

void SftStage::each_key(StrictMap map) {
  map.path_or_name("train_data", train_data);
  each_train_key(map);
  map.optional("labelled_head", labelled_head);
  map.optional("sample_format", sample_format, Names{kSampleFormats});
  // The other format has no such choice.
  map.written_if(sample_format == "ours", "train_on_end_of_turn", train_on_end_of_turn);
  if (sample_format != "ours" && map.has("train_on_end_of_turn"))
    map.add_error("train_on_end_of_turn",
                  "expected sample_format: ours beside this key, found " + sample_format);
  map.optional("max_length", max_length, kPositive);
  map.optional("truncation", truncation, Names{kTruncations});
  map.optional("keep_best", keep_best);
  map.refuse_foreign(kForeignSftKeys);
  map.done();
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
