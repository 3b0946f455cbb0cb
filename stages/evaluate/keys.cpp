#include "stages/evaluate/keys.h"

#include <algorithm>

#include "core/data/benchmarks/edit_dataset.h"
#include "core/data/benchmarks/knowedit.h"
#include "core/evaluate/eval_plan.h"
#include "core/model/encoders/encoder_files.h"
#include "stages/evaluate/eval_inputs.h"
#include "stages/recipe/slice_key.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kBenchmarks[] = {"bizsre",  "mzsre",  "bmike53",    "zsre",
                                            "wikibio", "recent", "counterfact"};
constexpr std::string_view kDemonstrationSets[] = {"bizsre", "mzsre", "bmike53", "bizsre_train",
                                                   "mzsre_train"};
constexpr std::string_view kModes[] = {"single", "batch", "sequential"};
constexpr std::string_view kWhen[] = {"end", "immediate", "at_sizes"};
constexpr std::string_view kMemories[] = {"pair", "test_language"};
constexpr std::string_view kMethods[] = {"xkde", "none", "lte", "ike", "remake"};
constexpr std::string_view kTemplates[] = {
    "model", "auto", "chatml", "chatml_helpful", "chatml_no_system", "llama2", "plain"};
constexpr std::string_view kPromptLanguages[] = {"test", "xk"};
constexpr std::string_view kNqPrefixes[] = {"keep", "cut"};
constexpr std::string_view kScorings[] = {"xkde", "easyedit"};
constexpr std::string_view kAveragings[] = {"easyedit", "lte"};
constexpr std::string_view kExtraMetrics[] = {"fluency", "f1", "exact"};
constexpr std::string_view kFormulas[] = {"f1", "squared"};
constexpr Condition<double> kCosine{"a number in [-1, 1]",
                                    [](const double& value) { return value >= -1 && value <= 1; }};

/// What a mode asks of the keys beside it.
void check_mode(StrictMap& map, const EvaluateStage& stage) {
  const bool is_single = stage.mode == "single";
  if (is_single && stage.sizes != std::vector<int64_t>{1})
    map.add_error("sizes", "expected [1], the only size of mode single, found others");
  if (is_single && map.has("memory"))
    map.add_error("memory", "expected mode: batch or sequential beside this key, found single");
  if (stage.mode != "sequential" && map.has("eval_when"))
    map.add_error("eval_when", "expected mode: sequential beside this key, found " + stage.mode);
  const bool uses_encoder = stage.retrieves() || stage.demonstrations;
  if (uses_encoder && !map.has("retriever"))
    map.add_error(is_single ? "demonstrations" : "mode",
                  "expected the key retriever beside it, found none");
  if (!uses_encoder && map.has("retriever"))
    map.add_error("retriever",
                  "expected mode: batch or sequential, or demonstrations, beside this key, found "
                  "neither");
}

void check_method(StrictMap& map, const EvaluateStage& stage) {
  const bool is_in_context = stage.method == "ike" || stage.method == "remake";
  if (stage.demonstrations && !is_in_context)
    map.add_error("demonstrations",
                  "expected method: ike or remake beside this key, found " + stage.method);
  if (is_in_context && stage.retriever && stage.retriever->k != 1)
    map.add_error("retriever", "expected k: 1 beside method: " + stage.method + ", found more");
  if (stage.scoring == "easyedit" && map.has("chat_template"))
    map.add_error("chat_template",
                  "expected scoring: xkde beside this key, found easyedit, which has none");
  if (!is_knowedit_name(stage.benchmark) && map.has("averaging"))
    map.add_error("averaging",
                  "expected a benchmark of KnowEdit beside this key, found " + stage.benchmark);
}

}  // namespace

RetrieverKeys RetrieverKeys::parse(StrictMap map) {
  RetrieverKeys keys;
  map.required("model_name_or_path", keys.model_name_or_path);
  map.optional("k", keys.k, kPositive);
  double threshold = 0;
  map.optional("threshold", threshold, kCosine);
  if (map.has("threshold")) keys.threshold = threshold;
  map.done();
  return keys;
}

DemonstrationKeys DemonstrationKeys::parse(StrictMap map) {
  DemonstrationKeys keys;
  map.required("benchmark", keys.benchmark, Names{kDemonstrationSets});
  map.required("data", keys.data);
  map.optional("records", keys.records, kSlice);
  map.optional("k", keys.k, kPositive);
  map.done();
  return keys;
}

bool EvaluateStage::wants(std::string_view extra_metric) const {
  return std::find(extra_metrics.begin(), extra_metrics.end(), extra_metric) != extra_metrics.end();
}

std::string EvaluateStage::method_label() const {
  if (method == "ike" && !demonstrations) return "ice";
  if (method == "remake") return demonstrations ? "remake-few" : "remake-zero";
  return method;
}

EvaluateStage EvaluateStage::parse(StrictMap map) {
  EvaluateStage stage;
  stage.read(map, Names{kBenchmarks});
  map.optional("mode", stage.mode, Names{kModes});
  map.optional("sizes", stage.sizes, kPositive);
  map.optional("eval_when", stage.eval_when, Names{kWhen});
  map.optional("memory", stage.memory, Names{kMemories});
  StrictMap retriever = map.map("retriever");
  if (map.has("retriever")) stage.retriever = RetrieverKeys::parse(std::move(retriever));
  map.optional("method", stage.method, Names{kMethods});
  StrictMap demonstrations = map.map("demonstrations");
  if (map.has("demonstrations"))
    stage.demonstrations = DemonstrationKeys::parse(std::move(demonstrations));
  // What IKE and ReMaKE are written for (protocol 2.3, 2.4).
  if (stage.method == "ike" || stage.method == "remake") stage.chat_template = "plain";
  if (stage.method == "remake") stage.nq_prefix = "cut";
  map.optional("chat_template", stage.chat_template, Names{kTemplates});
  map.optional("prompt_language", stage.prompt_language, Names{kPromptLanguages});
  map.optional("nq_prefix", stage.nq_prefix, Names{kNqPrefixes});
  map.optional("scoring", stage.scoring, Names{kScorings});
  map.optional("averaging", stage.averaging, Names{kAveragings});
  map.optional("extra_metrics", stage.extra_metrics, Names{kExtraMetrics});
  map.optional("f1_formula", stage.f1_formula, Names{kFormulas});
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

Json EvaluateStage::keys() const {
  Json json = to_json(static_cast<const EditSelection&>(*this));
  json["mode"] = mode;
  json["sizes"] = sizes;
  if (mode == "sequential") json["eval_when"] = eval_when;
  if (mode != "single") json["memory"] = memory;
  if (retriever) {
    json["retriever"] = {{"model_name_or_path", retriever->model_name_or_path.string()},
                         {"k", retriever->k}};
    if (retriever->threshold) json["retriever"]["threshold"] = *retriever->threshold;
  }
  json["method"] = method;
  if (demonstrations) {
    json["demonstrations"] = {{"benchmark", demonstrations->benchmark},
                              {"data", demonstrations->data.string()},
                              {"records", demonstrations->records},
                              {"k", demonstrations->k}};
  }
  if (scoring == "xkde") json["chat_template"] = chat_template;
  json["prompt_language"] = prompt_language;
  json["nq_prefix"] = nq_prefix;
  json["scoring"] = scoring;
  if (is_knowedit_name(benchmark)) json["averaging"] = averaging;
  if (!extra_metrics.empty()) json["extra_metrics"] = extra_metrics;
  json["f1_formula"] = f1_formula;
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
  inputs.reads("data", [this] {
    const EvalInputs asked = read_eval_inputs(*this);
    edit_moments(edit_mode_from_name(mode), sizes, eval_when_from_name(eval_when),
                 asked.edits_of_stream());
    if (demonstrations) {
      for (const LanguagePair& pair : asked.pairs)
        load_edits(benchmark_from_name(demonstrations->benchmark), demonstrations->data, pair.first,
                   pair.second, Slice::parse(demonstrations->records));
    }
    if (retriever) sentence_encoder_files(retriever->model_name_or_path);
  });
}

std::set<std::filesystem::path> EvaluateStage::files() const {
  std::set<std::filesystem::path> files = EditSelection::files(KnowEditSplit::kTest);
  if (demonstrations) {
    EditSelection shown = *this;
    shown.benchmark = demonstrations->benchmark;
    shown.data = demonstrations->data;
    files.merge(shown.files(KnowEditSplit::kTrain));
  }
  if (retriever) {
    for (const std::filesystem::path& file : sentence_encoder_files(retriever->model_name_or_path))
      files.insert(file);
  }
  return files;
}

}  // namespace xkde::recipe
