#include "stages/evaluate/keys.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/edit/brief_instruction.h"
#include "core/edit/probe_questions.h"
#include "core/edit/probe_templates.h"
#include "core/evaluate/demonstrations.h"
#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_plan.h"
#include "core/evaluate/extra_metrics.h"
#include "core/evaluate/judge/judge_prompt.h"
#include "core/evaluate/judge/labelled_rows.h"
#include "core/io/file_reader.h"
#include "core/model/encoders/check_encoders.h"
#include "core/model/encoders/encoder_files.h"
#include "core/text/chat_template.h"
#include "stages/edit/editor_keys.h"
#include "stages/recipe/edit_selection.h"
#include "stages/recipe/slice_key.h"

namespace xkde::recipe {
namespace {

constexpr Condition<double> kCosine{"a number in [-1, 1]", {.least = -1, .most = 1}};

bool has_averaging(const std::string& benchmark) {
  const BenchmarkSource* source = find_benchmark(benchmark);
  return source != nullptr && source->has_averaging;
}

/// What a mode asks of the keys beside it.
void check_mode(StrictMap& map, const EvaluateStage& stage) {
  if (!map.knows("mode")) return;
  const bool is_single = stage.mode == EditMode::kSingle;
  if (is_single && stage.sizes != std::vector<int64_t>{1})
    map.add_error("sizes", "expected [1], the only size of mode single, found others");
  if (is_single && map.has("memory"))
    map.add_error("memory", "expected mode: batch or sequential beside this key, found single");
  if (stage.mode != EditMode::kSequential && map.has("eval_when"))
    map.add_error("eval_when", concat("expected mode: sequential beside this key, found ",
                                      name_of(kEditModeNames, stage.mode)));
  const bool is_asked_at_end =
      stage.mode == EditMode::kSequential && stage.eval_when != EvalWhen::kImmediate;
  if (stage.by_age && !is_asked_at_end && map.knows("eval_when"))
    map.add_error(
        "by_age",
        concat("expected mode: sequential and eval_when: end or at_sizes beside true, found ",
               name_of(kEditModeNames, stage.mode),
               stage.mode == EditMode::kSequential ? " and immediate" : ""));
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
  const bool is_known = map.knows("method");
  if (is_known && stage.demonstrations && stage.method->demonstrator() == nullptr)
    map.add_error("demonstrations", "expected method: " + demonstrating_methods() +
                                        " beside this key, found " + name);
  if (is_known && stage.method->shows_one_fact() && stage.retriever && stage.retriever->k != 1)
    map.add_error("retriever", "expected k: 1 beside method: " + name + ", found more");
  if (stage.scoring == Scoring::kEasyEdit && map.has("chat_template"))
    map.add_error("chat_template",
                  "expected scoring: xkde beside this key, found easyedit, which has none");
  const bool is_native = stage.prompt_language == PromptLanguage::kNative;
  if (is_known && is_native && stage.method != &xkde_method())
    map.add_error("prompt_language", "expected method: xkde beside native, found " + name);
  if (map.knows("benchmark") && !has_averaging(stage.benchmark) && map.has("averaging"))
    map.add_error("averaging",
                  "expected a benchmark of KnowEdit beside this key, found " + stage.benchmark);
}

void each_demonstration_key(StrictMap map, DemonstrationOptions& options) {
  const auto names = benchmark_names(&BenchmarkSource::gives_demonstrations);
  map.required("benchmark", options.benchmark, Names{names});
  map.required("data", options.data);
  map.optional("records", options.records, kSlice);
  map.optional("k", options.k, kPositive);
  map.done();
}

/// Every test language has the instruction that is asked for.
void check_instructions(StrictMap& map, const EvaluateStage& stage) {
  if (!stage.free_answers) return;
  const std::vector<std::string>& contexts = stage.free_answers->contexts;
  if (std::find(contexts.begin(), contexts.end(),
                name_of(kFreeContextNames, FreeContext::kInstruction)) == contexts.end())
    return;
  for (const std::string& code : stage.test_languages) {
    const Language* language = find_language(code);
    if (language != nullptr && brief_instruction(language->iso) == nullptr)
      map.add_error(
          "free_answers",
          concat("contexts: expected test languages with an instruction (",
                 alternatives(briefly_asked_languages()), ") beside instruction, found ", code));
  }
}

void check_seeds(StrictMap& map, const EvaluateStage& stage) {
  if (stage.sample > 0 && !map.has("seeds"))
    map.add_error("sample", "expected the key seeds beside it, found none");
  const bool is_known = map.knows("sample") && map.knows("mode");
  if (is_known && !stage.seeds.empty() && stage.sample == 0 && stage.mode == EditMode::kSingle)
    map.add_error("seeds",
                  "expected the key sample beside it in mode single, where the order of records "
                  "says nothing, found none");
}

/// Every test language has the templates of which probes are built.
void check_probes(StrictMap& map, const EvaluateStage& stage) {
  if (stage.probes.empty()) return;
  for (const std::string& code : stage.test_languages) {
    const Language* language = find_language(code);
    if (language != nullptr && probe_templates(language->iso) == nullptr)
      map.add_error("probes",
                    concat("expected test languages with templates (",
                           alternatives(probed_languages()), ") beside it, found ", code));
  }
}

void each_free_answer_key(StrictMap map, FreeAnswerOptions& options) {
  const auto contexts = names_of(kFreeContextNames);
  const auto scorers = free_scorer_names();
  map.optional("contexts", options.contexts, Names{contexts});
  map.optional("scorers", options.scorers, Names{scorers});
  map.optional("max_new_tokens", options.max_new_tokens, kPositive);
  map.optional("stop_at_newline", options.stop_at_newline);
  map.done();
}

void each_judge_key(StrictMap map, JudgeOptions& options) {
  const std::vector<std::string_view> templates = ChatTemplate::keys();
  map.required("model_name_or_path", options.model_name_or_path);
  map.optional("dtype", options.dtype, kDtypes);
  map.optional("chat_template", options.chat_template, Names{templates});
  map.written_if(!options.chat_date.empty(), "chat_date", options.chat_date);
  if (!options.chat_date.empty() && !jinja::parse_clock(options.chat_date))
    map.add_error("chat_date", "expected a day as in model.chat_date, found " + options.chat_date);
  map.written_if(!options.cache.empty(), "cache", options.cache);
  map.written_if(!options.labelled.empty(), "labelled", options.labelled);
  map.optional("max_tokens_per_batch", options.max_tokens_per_batch, kPositive);
  map.done();
}

/// Beside what all stages look at: the folder of verdicts need not be there.
void check_cache(const std::filesystem::path& folder) {
  const PathKind kind = kind_at(folder, FileOrigin::kOwn);
  XKDE_CHECK(kind == PathKind::kNothing || kind == PathKind::kFolder, ConfigError, folder.string(),
             ": expected a folder for verdicts, or nothing there, found a file");
}

/// The method, and what it gives the keys that are read after it.
void each_method_key(StrictMap& map, EvaluateStage& stage) {
  std::string name(stage.method->name());
  const std::vector<std::string_view> names = edit_method_names();
  map.optional("method", name, Names{names});
  if (!map.reads()) return;
  stage.method = &edit_method(name);
  const EditMethod::Defaults defaults = stage.method->defaults();
  stage.chat_template = defaults.chat_template;
  stage.nq_prefix = defaults.nq_prefix;
}

/// Of a schema: an editor's keys stand beside methods that have an editor.
void describe_weight_keys(StrictMap& map) {
  describe_editor(map);
  std::vector<std::string_view> others;
  for (const EditMethod* method : edit_methods()) {
    if (!method->editor()) others.push_back(method->name());
  }
  Json is_other, without;
  is_other["properties"]["method"]["enum"] = others;
  without["not"]["required"] = {"editor"};
  map.add_rule({{"if", std::move(is_other)}, {"then", std::move(without)}});
}

void each_weight_key(StrictMap& map, EvaluateStage& stage) {
  if (map.describes()) return describe_weight_keys(map);
  if (!map.knows("method")) return each_editor_key(map.map("editor"), {}, stage.editor);
  const std::optional<EditorKind> kind = stage.method->editor();
  if (kind) return each_editor_key(map.map("editor"), *kind, stage.editor);
  if (map.has("editor"))
    map.refuse("editor", concat("expected a method that writes weights beside this key, found ",
                                stage.method->name()));
}

}  // namespace

void RetrieverKeys::each_key(StrictMap map) {
  map.required("model_name_or_path", model_name_or_path);
  map.optional("k", k, kPositive);
  if (map.asks("threshold", threshold)) map.optional("threshold", *threshold, kCosine);
  if (map.asks("query_prefix", query_prefix)) map.optional("query_prefix", *query_prefix);
  if (map.asks("document_prefix", document_prefix))
    map.optional("document_prefix", *document_prefix);
  map.done();
}

void EvaluateStage::each_key(StrictMap map) {
  const auto names = benchmark_names(&BenchmarkSource::is_evaluated);
  each_selection_key(map, Names{names}, *this);
  map.optional("mode", mode, kEditModeNames);
  map.optional("sizes", sizes, kPositive);
  map.written_if(mode == EditMode::kSequential, "eval_when", eval_when, kEvalWhenNames);
  map.written_if(mode != EditMode::kSingle, "memory", memory, kMemoryScopeNames);
  if (map.asks("retriever", retriever)) retriever->each_key(map.map("retriever"));
  each_method_key(map, *this);
  if (map.asks("demonstrations", demonstrations))
    each_demonstration_key(map.map("demonstrations"), *demonstrations);
  each_weight_key(map, *this);
  std::vector<std::string_view> templates = ChatTemplate::keys();
  templates.insert(templates.begin(), EvaluateStage::kModels);
  map.written_if(scoring == Scoring::kXkde, "chat_template", chat_template, Names{templates});
  map.optional("prompt_language", prompt_language, kPromptLanguageNames);
  map.optional("nq_prefix", nq_prefix, kNqPrefixNames);
  map.optional("scoring", scoring, kScoringNames);
  map.written_if(has_averaging(benchmark), "averaging", averaging, kAveragingNames);
  const std::vector<std::string_view> metrics = extra_metric_keys();
  map.written_if(!extra_metrics.empty(), "extra_metrics", extra_metrics, Names{metrics});
  map.optional("f1_formula", f1_formula, kF1FormulaNames);
  map.optional("base_locality", base_locality);
  map.optional("max_new_tokens", max_new_tokens, kPositive);
  if (map.asks("free_answers", free_answers))
    each_free_answer_key(map.map("free_answers"), *free_answers);
  if (map.asks("judge", judge)) each_judge_key(map.map("judge"), *judge);
  if (judge && !free_answers)
    map.add_error("judge", "expected the key free_answers beside it, found none");
  const std::vector<std::string_view> probe_names = built_probe_names();
  map.written_if(!probes.empty(), "probes", probes, Names{probe_names});
  map.written_if(by_age, "by_age", by_age);
  map.written_if(!seeds.empty(), "seeds", seeds, kNotNegative);
  map.written_if(sample > 0, "sample", sample, kPositive);
  map.optional("bootstrap_resamples", bootstrap_resamples, kNotNegative);
  map.optional("max_tokens_per_batch", max_tokens_per_batch, kPositive);
  map.optional("token_tree", token_tree);
  check_mode(map, *this);
  check_method(map, *this);
  check_instructions(map, *this);
  check_probes(map, *this);
  check_seeds(map, *this);
  map.done();
}

EvaluateStage EvaluateStage::with_sections() {
  EvaluateStage stage;
  stage.retriever.emplace();
  stage.demonstrations.emplace();
  stage.free_answers.emplace();
  stage.judge.emplace();
  return stage;
}

void EvaluateStage::check_inputs(InputChecker& inputs) const {
  bool opens = inputs.opens("data", data, kEditData);
  if (demonstrations) opens &= inputs.opens("demonstrations.data", demonstrations->data, kEditData);
  if (retriever)
    opens &= inputs.opens("retriever.model_name_or_path", retriever->model_name_or_path,
                          "the Hugging Face folder of a sentence encoder");
  if (judge)
    opens &= inputs.opens("judge.model_name_or_path", judge->model_name_or_path,
                          "a Hugging Face folder or a .gguf file");
  if (!editor.covariance.empty())
    opens &= inputs.opens("editor.covariance", editor.covariance, "a file of second moments");
  if (judge && !judge->labelled.empty())
    opens &= inputs.opens("judge.labelled", judge->labelled, "a file of labelled answers");
  if (!opens) return;
  if (judge) {
    inputs.reads("judge.model_name_or_path", [&] { check_judge(*judge); });
    inputs.reads("judge.cache", [&] { check_cache(judge->cache); });
    if (!judge->labelled.empty())
      inputs.reads("judge.labelled", [&] { read_labelled_rows(judge->labelled); });
  }
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
  if (!editor.covariance.empty()) files.insert(editor.covariance);
  if (judge) {
    for (const std::filesystem::path& file : open_pretrained(judge->model_name_or_path).files)
      files.insert(file);
    if (!judge->labelled.empty()) files.insert(judge->labelled);
  }
  return files;
}

}  // namespace xkde::recipe
