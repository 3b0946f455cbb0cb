#ifndef XKDE_CORE_EVALUATE_FREE_ANSWERS_H_
#define XKDE_CORE_EVALUATE_FREE_ANSWERS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/named.h"
#include "core/edit/probe_templates.h"
#include "core/evaluate/judge/judge_prompt.h"

namespace xkde {

/// In what a prompt stands that the model answers by itself. Exact: as `extra_metrics: [exact]`
/// asks, in the format that is scored. Question: the text alone, behind the special tokens that the
/// tokenizer begins a text with. Instruction: the same behind a request to answer briefly, in the
/// test language (core/edit/brief_instruction.h). Chat: a turn of the chat template.
enum class FreeContext { kExact, kQuestion, kInstruction, kChat };
/// Those that `evaluate.free_answers.contexts` may name.
inline constexpr Named<FreeContext> kFreeContextNames[] = {
    {"question", FreeContext::kQuestion},
    {"instruction", FreeContext::kInstruction},
    {"chat", FreeContext::kChat}};

/// `evaluate.free_answers`: what a model says that is only told the question. An answer ends where
/// the model ends it, or where its tokens run out. No target's length enters. All defaults are our
/// choice.
struct FreeAnswerOptions {
  std::vector<std::string> contexts{"question", "instruction", "chat"};  ///< of kFreeContextNames
  std::vector<std::string> scorers{"exact", "alias", "contains", "f1", "chrf"};
  int64_t max_new_tokens = 64;
  bool stop_at_newline = false;  ///< outside the chat template, an answer ends before "\n" too
};

/// What the model said.
struct FreeAnswer {
  std::string text;
  bool stopped = false;  ///< by itself; otherwise its tokens ran out
};

/// An answer, and what it is held against.
struct FreelyAnswered {
  std::string_view text;
  std::span<const std::string> right;  ///< at least one; the first is the target
  std::string_view language;           ///< ISO code of the test language
  bool is_negated = false;  ///< `right` is wrong: scores are taken from 1, and silence scores 0
  /// `right` is what a model said: where that was silence, silence scores 1.
  bool is_of_model = false;
  std::optional<Verdict> verdict = {};  ///< of a fact check: what the answer should say
};

/// A measure of free answers. To add one, add a line to the table in free_answers.cpp.
struct FreeScorer {
  std::string_view name;
  double (*score)(const FreelyAnswered& answered);  ///< in [0, 1]
  bool is_of_verdicts = false;  ///< of every fact check and of nothing else, whatever is asked for
};

/// What stands in the place of a scorer for the verdicts of a judge.
inline constexpr std::string_view kJudgeScorer = "judge";

/// Every scorer, in the order of the output files.
std::span<const FreeScorer> free_scorers();
std::vector<std::string_view> free_scorer_names();  ///< those that recipes may name

/// A scorer of the table and its value for one answer.
struct FreeScore {
  const FreeScorer* scorer = nullptr;
  double value = 0;
};

/// What a judge is asked of an answer.
struct JudgedAnswer {
  size_t question = 0;                  ///< index in ScoredEvaluation::to_judge
  std::optional<JudgeVerdict> verdict;  ///< nothing before it was asked, and where it was too long
};

/// An answer in one context with its scores, in the order of the table.
struct ScoredFreeAnswer {
  FreeContext context{};
  FreeAnswer answer;
  std::vector<FreeScore> scores;
  /// Locality: scores against what the untrained model says without the edit, where asked for.
  std::vector<FreeScore> base_scores = {};
  /// As `scores` and `base_scores`, where a judge is asked.
  std::optional<JudgedAnswer> judged = {}, base_judged = {};
};

/// The contexts and scorers that an evaluation asks for, each in the order of its table.
struct FreeChoice {
  explicit FreeChoice(const FreeAnswerOptions& options);
  std::vector<FreeScore> score(const FreelyAnswered& answered) const;

  std::vector<FreeContext> contexts;
  std::vector<const FreeScorer*> scorers;
};

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_FREE_ANSWERS_H_
