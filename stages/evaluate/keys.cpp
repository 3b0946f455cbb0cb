#include "stages/evaluate/keys.h"

#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/evaluate/demonstrations.h"
#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_plan.h"
#include "core/evaluate/extra_metrics.h"
#include "core/model/encoders/check_encoders.h"
#include "core/model/encoders/encoder_files.h"
#include "core/text/chat_template.h"
#include "stages/recipe/edit_selection.h"
#include "stages/recipe/slice_key.h"

namespace xkde::recipe {
namespace {

constexpr Condition<double> kCosine{"a number in [-1, 1]",
                                    [](const double& value) { return value >= -1 && value <= 1; }};

bool has_averaging(const std::string& benchmark) {
  const BenchmarkSource* source = find_benchmark(benchmark);
  return source != nullptr && source->has_averaging;
}

/// What a mode asks of the keys beside it.
void check_mode(StrictMap& map, const EvaluateStage& stage) {
  const bool is_single = stage.mode == EditMode::kSingle;
  if (is_single && stage.sizes != std::vector<int64_t>{1})
    map.add_error("sizes", "expected [1], the only size of mode single, found others");
  if (is_single && map.has("memory"))
    map.add_error("memory", "expected mode: batch or sequential beside this key, found single");
  if (stage.mode != EditMode::kSequential && map.has("eval_when"))
    map.add_error("eval_when", concat("expected mode: sequential beside this key, found ",
                                      name_of(kEditModeNames, stage.mode)));
  const bool uses_encoder = stage.retrieves() || stage.demonstrations;
  if (uses_encoder && !map.has("retriever"))
    map.add_error(is_single ? "demonstrations" : "mode",
                  "expected the key retriever beside it, found none");
  if (!uses_encoder && map.has("retriever"))
    map.add_error("retriever",
                  "expected mode: batch or sequential, or demonstrations, beside this key, found "
                  "neither");
}

/// "ike or remake": the methods that show examples.
std::string demonstrating_methods() {
  std::vector<std::string> names;
  for (const EditMethod* method : edit_methods()) {
    if (method->demonstrator() != nullptr) names.emplace_back(method->name());
  }
  return alternatives(names);
}

void check_method(StrictMap& map, const EvaluateStage& stage) {
  const std::string name(stage.method->name());
  if (stage.demonstrations && stage.method->demonstrator() == nullptr)
    map.add_error("demonstrations", "expected method: " + demonstrating_methods() +
                                        " beside this key, found " + name);
  if (stage.method->shows_one_fact() && stage.retriever && stage.retriever->k != 1)
    map.add_error("retriever", "expected k: 1 beside method: " + name + ", found more");
  if (stage.scoring == Scoring::kEasyEdit && map.has("chat_template"))
    map.add_error("chat_template",
                  "expected scoring: xkde beside this key, found easyedit, which has none");
  if (stage.prompt_language == PromptLanguage::kNative && stage.method != &xkde_method())
    map.add_error("prompt_language", "expected method: xkde beside native, found " + name);
  if (!has_averaging(stage.benchmark) && map.has("averaging"))
    map.add_error("averaging",
                  "expected a benchmark of KnowEdit beside this key, found " + stage.benchmark);
}

DemonstrationOptions parse_demonstrations(StrictMap map) {
  DemonstrationOptions options;
  const auto names = benchmark_names(&BenchmarkSource::gives_demonstrations);
  map.required("benchmark", options.benchmark, Names{names});
  map.required("data", options.data);
  map.optional("records", options.records, kSlice);
  map.optional("k", options.k, kPositive);
  map.done();
  return options;
}

/// The method, and what it gives the keys that are read after it.
void read_method(StrictMap& map, EvaluateStage& stage) {
  std::string name(stage.method->name());
  const std::vector<std::string_view> names = edit_method_names();
  map.optional("method", name, Names{names});
  stage.method = &edit_method(name);
  const EditMethod::Defaults defaults = stage.method->defaults();
  stage.chat_template = defaults.chat_template;
  stage.nq_prefix = defaults.nq_prefix;
}

}  // namespace

RetrieverKeys RetrieverKeys::parse(StrictMap map) {
  RetrieverKeys keys;
  map.required("model_name_or_path", keys.model_name_or_path);
  map.optional("k", keys.k, kPositive);
  double threshold = 0;
  map.optional("threshold", threshold, kCosine);
  if (map.has("threshold")) keys.threshold = threshold;
  for (const auto& [key, prefix] : {std::pair{"query_prefix", &keys.query_prefix},
                                    std::pair{"document_prefix", &keys.document_prefix}}) {
    if (map.has(key)) map.optional(key, prefix->emplace());
  }
  map.done();
  return keys;
}

EvaluateStage EvaluateStage::parse(StrictMap map) {
  EvaluateStage stage;
  const auto names = benchmark_names(&BenchmarkSource::is_evaluated);
  read_selection(map, Names{names}, stage);
  map.optional("mode", stage.mode, kEditModeNames);
  map.optional("sizes", stage.sizes, kPositive);
  map.optional("eval_when", stage.eval_when, kEvalWhenNames);
  map.optional("memory", stage.memory, kMemoryScopeNames);
  StrictMap retriever = map.map("retriever");
  if (map.has("retriever")) stage.retriever = RetrieverKeys::parse(std::move(retriever));
  read_method(map, stage);
  StrictMap demonstrations = map.map("demonstrations");
  if (map.has("demonstrations"))
    stage.demonstrations = parse_demonstrations(std::move(demonstrations));
  std::vector<std::string_view> templates = ChatTemplate::keys();
  templates.insert(templates.begin(), "model");
  map.optional("chat_template", stage.chat_template, Names{templates});
  map.optional("prompt_language", stage.prompt_language, kPromptLanguageNames);
  map.optional("nq_prefix", stage.nq_prefix, kNqPrefixNames);
  map.optional("scoring", stage.scoring, kScoringNames);
  map.optional("averaging", stage.averaging, kAveragingNames);
  const std::vector<std::string_view> metrics = extra_metric_keys();
  map.optional("extra_metrics", stage.extra_metrics, Names{metrics});
  map.optional("f1_formula", stage.f1_formula, kF1FormulaNames);
  map.optional("base_locality", stage.base_locality);
  map.optional("max_new_tokens", stage.max_new_tokens, kPositive);
  map.optional("bootstrap_resamples", stage.bootstrap_resamples, kNotNegative);
  map.optional("max_tokens_per_batch", stage.max_tokens_per_batch, kPositive);
  map.optional("token_tree", stage.token_tree);
  check_mode(map, stage);
  check_method(map, stage);
  map.done();
  return stage;
}

EvaluateStage EvaluateStage::with_sections() {
  EvaluateStage stage;
  stage.retriever.emplace();
  stage.demonstrations.emplace();
  return stage;
}

Json EvaluateStage::keys() const {
  Json json = selection_json(*this);
  json["mode"] = name_of(kEditModeNames, mode);
  json["sizes"] = sizes;
  if (mode == EditMode::kSequential) json["eval_when"] = name_of(kEvalWhenNames, eval_when);
  if (mode != EditMode::kSingle) json["memory"] = name_of(kMemoryScopeNames, memory);
  if (retriever) {
    json["retriever"] = {{"model_name_or_path", retriever->model_name_or_path.string()},
                         {"k", retriever->k}};
    if (retriever->threshold) json["retriever"]["threshold"] = *retriever->threshold;
    if (retriever->query_prefix) json["retriever"]["query_prefix"] = *retriever->query_prefix;
    if (retriever->document_prefix)
      json["retriever"]["document_prefix"] = *retriever->document_prefix;
  }
  json["method"] = method->name();
  if (demonstrations) {
    json["demonstrations"] = {{"benchmark", demonstrations->benchmark},
                              {"data", demonstrations->data.string()},
                              {"records", demonstrations->records},
                              {"k", demonstrations->k}};
  }
  if (scoring == Scoring::kXkde) json["chat_template"] = chat_template;
  json["prompt_language"] = name_of(kPromptLanguageNames, prompt_language);
  json["nq_prefix"] = name_of(kNqPrefixNames, nq_prefix);
  json["scoring"] = name_of(kScoringNames, scoring);
  if (has_averaging(benchmark)) json["averaging"] = name_of(kAveragingNames, averaging);
  if (!extra_metrics.empty()) json["extra_metrics"] = extra_metrics;
  json["f1_formula"] = name_of(kF1FormulaNames, f1_formula);
  json["base_locality"] = base_locality;
  json["max_new_tokens"] = max_new_tokens;
  json["bootstrap_resamples"] = bootstrap_resamples;
  json["max_tokens_per_batch"] = max_tokens_per_batch;
  json["token_tree"] = token_tree;
  return json;
}

void EvaluateStage::check_inputs(InputChecker& inputs) const {
  bool opens = inputs.opens("data", data, kEditData);
  if (demonstrations) opens &= inputs.opens("demonstrations.data", demonstrations->data, kEditData);
  if (retriever)
    opens &= inputs.opens("retriever.model_name_or_path", retriever->model_name_or_path,
                          "the Hugging Face folder of a sentence encoder");
  if (!opens) return;
  inputs.reads("data", [&] {
    const EvalInputs asked = read_eval_inputs(*this, inputs.files());
    edit_moments(mode, sizes, eval_when, asked.edits_of_stream());
    if (demonstrations) {
      for (const LanguagePair& pair : asked.pairs)
        demonstration_records(*demonstrations, pair, inputs.files());
    }
    if (retriever) check_sentence_encoder(retriever->model_name_or_path);
  });
}

std::set<std::filesystem::path> EvaluateStage::files() const {
  std::set<std::filesystem::path> files = EditSelection::files(Split::kTest);
  if (demonstrations) {
    EditSelection shown = *this;
    shown.benchmark = demonstrations->benchmark;
    shown.data = demonstrations->data;
    files.merge(shown.files(Split::kTrain));
  }
  if (retriever) {
    for (const std::filesystem::path& file : sentence_encoder_files(retriever->model_name_or_path))
      files.insert(file);
  }
  return files;
}

}  // namespace xkde::recipe
