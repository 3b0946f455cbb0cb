#ifndef XKDE_CORE_EVALUATE_EVAL_OPTIONS_H_
#define XKDE_CORE_EVALUATE_EVAL_OPTIONS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/named.h"
#include "core/data/benchmarks/edit_selection.h"
#include "core/edit/prompt.h"
#include "core/edit/test_questions.h"
#include "core/evaluate/edit_metrics.h"
#include "core/evaluate/eval_plan.h"
#include "core/evaluate/free_answers.h"
#include "core/evaluate/judge/judge_options.h"
#include "core/evaluate/methods/methods.h"
#include "core/metrics/answer_overlap.h"

namespace xkde {

/// Which edits share a memory: those of a language pair, or of all pairs with one test language.
enum class MemoryScope { kPair, kTestLanguage };
inline constexpr Named<MemoryScope> kMemoryScopeNames[] = {
    {"pair", MemoryScope::kPair}, {"test_language", MemoryScope::kTestLanguage}};

/// Whose token accuracy: that of protocol 6.1, or that of 6.2.
enum class Scoring { kXkde, kEasyEdit };
inline constexpr Named<Scoring> kScoringNames[] = {{"xkde", Scoring::kXkde},
                                                   {"easyedit", Scoring::kEasyEdit}};

/// The examples that IKE and few-shot ReMaKE show before the fact (protocol 2.3, 2.4), in the
/// language pair that is evaluated.
struct DemonstrationOptions {
  std::string benchmark;
  std::filesystem::path data;
  std::string records;  ///< a slice; "" is all
  int64_t k = 16;       ///< examples in a prompt, at most
};

/// What an evaluation asks and how it counts answers (protocol 6, 7.1). Nothing here knows ranks or
/// tensors.
struct EvalOptions : EditSelection {
  EditMode mode = EditMode::kSingle;
  std::vector<int64_t> sizes{1};  ///< how many edits the memory holds, one evaluation for each
  EvalWhen eval_when = EvalWhen::kEnd;  ///< of a stream
  MemoryScope memory = MemoryScope::kPair;
  std::vector<int64_t> seeds;  ///< each draws records in an order of its own; empty: as in the file
  int64_t sample = 0;          ///< records that a seed draws; 0: all

  const EditMethod* method = &xkde_method();  ///< never null
  std::optional<DemonstrationOptions> demonstrations;
  EditorOptions editor;  ///< of a method that writes weights
  PromptLanguage prompt_language = PromptLanguage::kTest;
  NqPrefix nq_prefix = NqPrefix::kKeep;

  Scoring scoring = Scoring::kXkde;
  Averaging averaging = Averaging::kEasyEdit;   ///< of KnowEdit (Q27)
  std::vector<std::string> extra_metrics;       ///< keys of extra_metrics(), as the recipe has them
  F1Formula f1_formula = F1Formula::kHarmonic;  ///< (Q21)
  bool base_locality = true;    ///< compares locality with the model before training too (Q17)
  int64_t max_new_tokens = 32;  ///< of the answer that `exact` looks at; our choice
  std::optional<FreeAnswerOptions> free_answers;  ///< what else is answered free-running
  std::optional<JudgeOptions> judge;              ///< of free answers
  std::vector<std::string> probes;  ///< of built_probe_names(): asked beside the rows' questions
  bool by_age = false;  ///< of a stream asked at its end: results by how long ago an edit came
  int64_t bootstrap_resamples = 1000;  ///< of the 95 % intervals; 0 makes none; our choice

  /// Whether facts come out of a memory, and not straight from the record.
  bool retrieves() const { return mode != EditMode::kSingle && method->needs_memory(); }
  /// What result rows call the method.
  std::string method_label() const {
    return std::string(method->label(demonstrations.has_value()));
  }
};

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_EVAL_OPTIONS_H_
