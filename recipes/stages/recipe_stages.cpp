#include "recipes/stages/recipe_stages.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/data/language.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kBenchmarks[] = {"bizsre", "mzsre", "bmike53"};
constexpr std::string_view kLaterBenchmarks[] = {"zsre", "wikibio", "recent", "counterfact"};
constexpr std::string_view kQuestions[] = {"src", "rephrase", "loc", "portability"};
constexpr std::string_view kSchedules[] = {"cosine", "linear", "constant"};
constexpr std::string_view kReductions[] = {"token_mean", "micro_batch"};
constexpr std::string_view kSampleFormats[] = {"ours", "xeit_v2"};
constexpr std::string_view kTruncations[] = {"end", "proportional"};
constexpr std::string_view kLastBatches[] = {"short", "wrap"};
constexpr std::string_view kResumes[] = {"auto", "never"};
constexpr std::string_view kModes[] = {"single"};
constexpr std::string_view kLaterModes[] = {"batch", "sequential"};
constexpr std::string_view kDtypes[] = {"float32", "bfloat16"};

/// Keys that users of other trainers write, and what to write here.
constexpr std::pair<std::string_view, std::string_view> kForeignSftKeys[] = {
    {"warmup_ratio", "unknown key; did you mean 'warmup_steps', where a value below 1 is a ratio?"},
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

constexpr Condition<int64_t> kBatchSize{"an integer from 1 to 1000000", [](const int64_t& value) {
                                          return value >= 1 && value <= 1000000;
                                        }};
constexpr Condition<int64_t> kGlobalBatchSize{
    "an integer from 0 to 1000000",
    [](const int64_t& value) { return value >= 0 && value <= 1000000; }};
constexpr Condition<int64_t> kMaxSteps{"an integer of at least 0, or -1 for no limit",
                                       [](const int64_t& value) { return value >= -1; }};
constexpr Condition<double> kWarmup{
    "a positive integer (steps) or a number in [0, 1) (share of all steps)",
    [](const double& value) {
      return value >= 0 && value < 1e12 && (value < 1 || value == std::floor(value));
    }};

bool is_slice_bound(std::string_view text) {
  constexpr size_t kMostDigits = 18;
  if (text.empty()) return true;
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= kMostDigits &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

constexpr Condition<std::string> kSlice{
    "a slice \"begin:end\" as in Python", [](const std::string& text) {
      if (text.empty()) return true;
      const size_t colon = text.find(':');
      return colon != std::string::npos &&
             is_slice_bound(std::string_view(text).substr(0, colon)) &&
             is_slice_bound(std::string_view(text).substr(colon + 1));
    }};

const char* language_text() {
  static const std::string kText = [] {
    std::string text = "a language code (";
    for (const Language& language : languages()) {
      if (&language != &languages().front()) text += ", ";
      text += language.iso;
      if (language.file_code != language.iso) text += " or " + language.file_code;
    }
    return text + ")";
  }();
  return kText.c_str();
}

void read_languages(StrictMap& map, std::string_view key, std::vector<std::string>& out) {
  map.required(key, out, Condition<std::string>{language_text(), [](const std::string& code) {
                                                  return find_language(code) != nullptr;
                                                }});
  std::vector<const Language*> seen;
  for (const std::string& code : out) {
    const Language* language = find_language(code);
    if (std::find(seen.begin(), seen.end(), language) != seen.end())
      map.add_error(key, "expected each language once, found " + language->english_name + " twice");
    seen.push_back(language);
  }
}

Json selection_json(const EditSelection& edits) {
  return {{"benchmark", edits.benchmark},
          {"data", edits.data.string()},
          {"edit_languages", edits.edit_languages},
          {"test_languages", edits.test_languages},
          {"records", edits.records}};
}

Json to_json(const BuildDataStage& stage) {
  Json sources = Json::array();
  for (const BuildDataSource& source : stage.sources) {
    Json json = selection_json(source);
    json["questions"] = source.questions;
    sources.push_back(std::move(json));
  }
  return {{"sources", std::move(sources)},
          {"without_edit", stage.without_edit},
          {"max_samples", stage.max_samples}};
}

Json to_json(const SftStage& stage) {
  Json json{{"train_data", stage.train_data},
            {"num_train_epochs", stage.num_train_epochs},
            {"max_steps", stage.max_steps}};
  if (stage.global_batch_size == 0) {
    json["per_device_train_batch_size"] = stage.per_device_train_batch_size;
    json["gradient_accumulation_steps"] = stage.gradient_accumulation_steps;
  }
  json["global_batch_size"] = stage.global_batch_size;
  json["learning_rate"] = stage.learning_rate;
  json["lr_scheduler_type"] = stage.lr_scheduler_type;
  json["warmup_steps"] = stage.warmup_steps;
  json["weight_decay"] = stage.weight_decay;
  json["adam_beta1"] = stage.adam_beta1;
  json["adam_beta2"] = stage.adam_beta2;
  json["adam_epsilon"] = stage.adam_epsilon;
  json["max_grad_norm"] = stage.max_grad_norm;
  json["loss_reduction"] = stage.loss_reduction;
  json["packing"] = stage.packing;
  json["token_tree"] = stage.token_tree;
  json["max_tokens_per_pack"] = stage.max_tokens_per_pack;
  json["labelled_head"] = stage.labelled_head;
  json["sample_format"] = stage.sample_format;
  // The other format has no such choice.
  if (stage.sample_format == "ours") json["train_on_end_of_turn"] = stage.train_on_end_of_turn;
  json["max_length"] = stage.max_length;
  json["truncation"] = stage.truncation;
  json["last_batch"] = stage.last_batch;
  json["save_steps"] = stage.save_steps;
  json["save_total_limit"] = stage.save_total_limit;
  json["async_save"] = stage.async_save;
  json["keep_best"] = stage.keep_best;
  json["resume_from_checkpoint"] = stage.resume_from_checkpoint;
  return json;
}

Json to_json(const EvaluateStage& stage) {
  Json json = selection_json(stage);
  json["mode"] = stage.mode;
  json["sizes"] = stage.sizes;
  json["max_tokens_per_batch"] = stage.max_tokens_per_batch;
  json["token_tree"] = stage.token_tree;
  return json;
}

Json to_json(const ExportStage& stage) {
  return {{"path", stage.path.string()}, {"dtype", stage.dtype}};
}

}  // namespace

const Names kDtypeNames{kDtypes};

void EditSelection::read(StrictMap& map) {
  map.required("benchmark", benchmark, Names{kBenchmarks, kLaterBenchmarks});
  map.required("data", data);
  read_languages(map, "edit_languages", edit_languages);
  read_languages(map, "test_languages", test_languages);
  map.optional("records", records, kSlice);
}

BuildDataSource BuildDataSource::parse(StrictMap map) {
  BuildDataSource source;
  source.read(map);
  map.optional("questions", source.questions, Names{kQuestions});
  map.done();
  return source;
}

BuildDataStage BuildDataStage::parse(StrictMap map) {
  BuildDataStage stage;
  for (StrictMap& source : map.maps("sources"))
    stage.sources.push_back(BuildDataSource::parse(std::move(source)));
  map.optional("without_edit", stage.without_edit);
  map.optional("max_samples", stage.max_samples, kNotNegative);
  map.done();
  return stage;
}

SftStage SftStage::parse(StrictMap map) {
  SftStage stage;
  map.optional("train_data", stage.train_data);
  map.optional("num_train_epochs", stage.num_train_epochs, kPositiveNumber);
  map.optional("max_steps", stage.max_steps, kMaxSteps);
  map.optional("per_device_train_batch_size", stage.per_device_train_batch_size, kBatchSize);
  map.optional("gradient_accumulation_steps", stage.gradient_accumulation_steps, kBatchSize);
  map.optional("global_batch_size", stage.global_batch_size, kGlobalBatchSize);
  for (const char* key : {"per_device_train_batch_size", "gradient_accumulation_steps"}) {
    if (stage.global_batch_size > 0 && map.has(key))
      map.add_error(key, "expected global_batch_size or this key, found both");
  }
  map.optional("learning_rate", stage.learning_rate, kPositiveNumber);
  map.optional("lr_scheduler_type", stage.lr_scheduler_type, Names{kSchedules});
  map.optional("warmup_steps", stage.warmup_steps, kWarmup);
  map.optional("weight_decay", stage.weight_decay, kNotNegativeNumber);
  map.optional("adam_beta1", stage.adam_beta1, kShare);
  map.optional("adam_beta2", stage.adam_beta2, kShare);
  map.optional("adam_epsilon", stage.adam_epsilon, kPositiveNumber);
  map.optional("max_grad_norm", stage.max_grad_norm, kPositiveNumber);
  map.optional("loss_reduction", stage.loss_reduction, Names{kReductions});
  map.optional("packing", stage.packing);
  map.optional("token_tree", stage.token_tree);
  map.optional("max_tokens_per_pack", stage.max_tokens_per_pack, kPositive);
  map.optional("labelled_head", stage.labelled_head);
  map.optional("sample_format", stage.sample_format, Names{kSampleFormats});
  map.optional("train_on_end_of_turn", stage.train_on_end_of_turn);
  if (stage.sample_format != "ours" && map.has("train_on_end_of_turn"))
    map.add_error("train_on_end_of_turn",
                  "expected sample_format: ours beside this key, found " + stage.sample_format);
  map.optional("max_length", stage.max_length, kPositive);
  map.optional("truncation", stage.truncation, Names{kTruncations});
  map.optional("last_batch", stage.last_batch, Names{kLastBatches});
  map.optional("save_steps", stage.save_steps, kNotNegative);
  map.optional("save_total_limit", stage.save_total_limit, kPositive);
  map.optional("async_save", stage.async_save);
  map.optional("keep_best", stage.keep_best);
  map.optional("resume_from_checkpoint", stage.resume_from_checkpoint, Names{kResumes});
  for (const auto& [key, why] : kForeignSftKeys) map.refuse(key, std::string(why));
  map.done();
  return stage;
}

EvaluateStage EvaluateStage::parse(StrictMap map) {
  EvaluateStage stage;
  stage.read(map);
  map.optional("mode", stage.mode, Names{kModes, kLaterModes});
  map.optional("sizes", stage.sizes, kPositive);
  if (stage.sizes != std::vector<int64_t>{1})
    map.add_error("sizes", "expected [1], the only size of mode single, found others");
  map.optional("max_tokens_per_batch", stage.max_tokens_per_batch, kPositive);
  map.optional("token_tree", stage.token_tree);
  for (const char* key : {"eval_when", "retriever"})
    map.refuse(key, "this key is not available in this version");
  map.done();
  return stage;
}

ExportStage ExportStage::parse(StrictMap map) {
  ExportStage stage;
  map.required("path", stage.path);
  map.optional("dtype", stage.dtype, kDtypeNames);
  map.done();
  return stage;
}

std::vector<std::string> stage_names() { return {"build_data", "sft", "evaluate", "export"}; }

std::vector<std::string> unavailable_stage_names() { return {"sample", "rank", "orpo"}; }

std::string stage_name(const Stage& stage) { return stage_names().at(stage.index()); }

Json stage_json(const Stage& stage) {
  return std::visit([](const auto& one) { return to_json(one); }, stage);
}

}  // namespace xkde::recipe
