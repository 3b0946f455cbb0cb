#include "core/evaluate/score_answers.h"

#include <optional>
#include <unordered_map>
#include <utility>

#include "core/edit/prompt.h"
#include "core/evaluate/extra_metrics.h"

namespace xkde {
namespace {

class Scorer {
 public:
  Scorer(const EvalOptions& options, const EvalInputs& inputs, const EvalQuestionnaire& asked,
         const EvalAnswers& answers, const Tokenizer& tokenizer)
      : options_(options),
        inputs_(inputs),
        asked_(asked),
        answers_(answers),
        tokenizer_(tokenizer) {
    if (options.free_answers) free_.emplace(*options.free_answers);
    for (const ExtraMetric* metric : chosen_metrics(options.extra_metrics)) {
      if (metric->input == MetricInput::kContinuation) {
        score_continuations(*metric);
      } else {
        of_questions_.push_back(metric);
      }
    }
  }

  ScoredEvaluation score() {
    ScoredEvaluation scored;
    size_t moment = asked_.moments.size();
    for (const EvalItem& item : asked_.items) {
      const EditMoment& when = asked_.moments[item.moment];
      const EvalStream& stream = inputs_.streams[when.stream];
      const auto position = static_cast<size_t>(when.edit);
      ScoredBlock& block = scored.blocks[{when.size, stream.pairs[position]}];
      const EvalEdit& edit = stream.edits[position];
      if (std::exchange(moment, item.moment) != item.moment && !when.is_at_once)
        add_edit(block, edit);
      if (answers_.prompts[item.prompt].target_ids.empty() ||
          (item.reference && bare(*item.reference).target_ids.empty())) {
        if (!when.is_at_once)
          ++scored.skipped[edit.asked[item.question].kind.name() +
                           ": prompt longer than the model's context"];
        continue;
      }
      Prediction told = prediction(item, stream, edit, inputs_.pairs[stream.pairs[position]]);
      if (when.is_at_once) {
        lay_beside(block.predictions, std::move(told));
        continue;
      }
      if (options_.by_age) told.age = when.age();
      block.predictions.push_back(std::move(told));
    }
    scored.to_judge = std::move(to_judge_);
    return scored;
  }

 private:
  /// The values of one metric by the edit's question.
  struct Continued {
    const ExtraMetric* metric = nullptr;
    std::unordered_map<std::string, double> values;
  };

  void score_continuations(const ExtraMetric& metric) {
    Continued continued{&metric, {}};
    for (size_t i = 0; i < asked_.fluency_prompts.size(); ++i) {
      continued.values[asked_.fluency_prompts[i].user] =
          metric.score({.text = answers_.fluency.at(i)});
    }
    of_edits_.push_back(std::move(continued));
  }

  void add_edit(ScoredBlock& block, const EvalEdit& edit) const {
    ++block.records;
    if (block.of_edits.empty()) {
      for (const Continued& continued : of_edits_)
        block.of_edits.push_back({std::string(continued.metric->name), {}});
    }
    for (size_t i = 0; i < of_edits_.size(); ++i)
      block.of_edits[i].values.push_back(of_edits_[i].values.at(edit.question));
  }

  /// The predictions of the moment before this one are the last of the list.
  static void lay_beside(std::vector<Prediction>& predictions, Prediction at_once) {
    for (auto one = predictions.rbegin(); one != predictions.rend(); ++one) {
      if (one->record != at_once.record) return;
      if (one->kind != at_once.kind || one->probe != at_once.probe) continue;
      one->at_once.push_back(std::move(at_once));
      return;
    }
  }

  const TargetAnswer& bare(size_t reference) const {
    return answers_.prompts[asked_.references[reference]];
  }

  Prediction prediction(const EvalItem& item, const EvalStream& stream, const EvalEdit& edit,
                        const LanguagePair& pair) {
    const EditQuestion& question = edit.asked[item.question];
    const TargetAnswer& answer = answers_.prompts[item.prompt];
    Prediction scored;
    scored.record = edit.record;
    scored.edit_language = pair.first;
    scored.test_language = pair.second;
    scored.kind = question.kind;
    scored.probe = question.probe;
    scored.prompt = asked_.prompts[item.prompt].text.user;
    scored.fact = fact_text(edit.question, edit.target);
    scored.question = question.whole_text();
    scored.target = question.target;
    scored.target_ids = item.reference ? bare(*item.reference).predicted_ids : answer.target_ids;
    scored.predicted_ids = answer.predicted_ids;
    scored.target_text = tokenizer_.decode(scored.target_ids);
    scored.predicted_text = tokenizer_.decode(scored.predicted_ids);
    scored.score = token_accuracy(scored.predicted_ids, scored.target_ids);
    if (question.is_negated()) scored.score = 1 - scored.score;
    if (options_.retrieves()) {
      scored.retrieved.emplace();
      for (const int64_t one : item.retrieved)
        scored.retrieved->push_back(stream.edits[static_cast<size_t>(one)].record);
      scored.rank_of_fact = item.rank_of_fact;
    }
    if (item.reference && !answers_.references.empty()) {
      const TargetAnswer& untrained = answers_.references[*item.reference];
      scored.base_locality = token_accuracy(scored.predicted_ids, untrained.predicted_ids);
    }
    add_free(scored, item, question, language_of(pair.second).iso);
    add_extra(scored, question, language_of(pair.second).iso);
    return scored;
  }

  /// Locality is held against the answer without the edit, other questions against what is right.
  void add_free(Prediction& scored, const EvalItem& item, const EditQuestion& question,
                std::string_view language) {
    for (size_t i = 0; i < item.free.size(); ++i) {
      const FreeContext context = asked_.free_prompts[item.free[i]].context;
      const FreeAnswer& answer = answers_.free[item.free[i]];
      if (context == FreeContext::kExact) {
        scored.answer = answer.text;
        continue;
      }
      const auto score = [&](std::span<const std::string> right) {
        return free_->score({.text = answer.text,
                             .right = right,
                             .language = language,
                             .is_negated = question.is_negated(),
                             .is_of_model = !item.free_references.empty(),
                             .verdict = verdict_wanted(question)});
      };
      if (item.free_references.empty()) {
        scored.free.push_back({context, answer, score(question.answers)});
        scored.free.back().judged = to_judge(question, question.answers, answer);
        continue;
      }
      const size_t reference = item.free_references[i];
      const FreeAnswer& unedited = answers_.free[asked_.free_references[reference]];
      scored.free.push_back({context, answer, score({&unedited.text, 1})});
      scored.free.back().judged = to_judge(question, {unedited.text}, answer);
      if (answers_.free_references.empty()) continue;
      const FreeAnswer& untrained = answers_.free_references[reference];
      scored.free.back().base_scores = score({&untrained.text, 1});
      scored.free.back().base_judged = to_judge(question, {untrained.text}, answer);
    }
  }

  /// Nothing where no judge is asked, where the question asks for what is wrong, and where there is
  /// nothing to hold the answer against: the model said nothing without the edit.
  std::optional<JudgedAnswer> to_judge(const EditQuestion& question,
                                       const std::vector<std::string>& right,
                                       const FreeAnswer& answer) {
    if (!options_.judge || question.is_negated()) return std::nullopt;
    JudgeQuestion asked = judge_question(question.question, right, answer.text);
    if (asked.right.front().empty()) return std::nullopt;
    const auto [place, is_new] = places_to_judge_.emplace(std::move(asked), to_judge_.size());
    if (is_new) to_judge_.push_back(place->first);
    return JudgedAnswer{place->second, {}};
  }

  /// What a fact check should say; nothing of other questions.
  static std::optional<Verdict> verdict_wanted(const EditQuestion& question) {
    if (question.kind.metric != Metric::kFactCheck) return std::nullopt;
    return question.kind.probe == ProbeKind::kNewAnswer ? Verdict::kYes : Verdict::kNo;
  }

  void add_extra(Prediction& scored, const EditQuestion& question,
                 std::string_view language) const {
    const Answered answered{.predicted_ids = scored.predicted_ids,
                            .target_ids = scored.target_ids,
                            .text = scored.answer ? std::string_view(*scored.answer) : "",
                            .right = question.answers,
                            .language = language,
                            .f1_formula = options_.f1_formula,
                            .tokenizer = &tokenizer_};
    for (const ExtraMetric* metric : of_questions_) {
      if (metric->input == MetricInput::kFreeAnswer && !scored.answer) continue;
      const double value = metric->score(answered);
      scored.extra.push_back({metric, question.is_negated() ? 1 - value : value});
    }
  }

  const EvalOptions& options_;
  const EvalInputs& inputs_;
  const EvalQuestionnaire& asked_;
  const EvalAnswers& answers_;
  const Tokenizer& tokenizer_;
  std::optional<FreeChoice> free_;
  std::vector<const ExtraMetric*> of_questions_;
  std::vector<Continued> of_edits_;
  std::vector<JudgeQuestion> to_judge_;
  std::map<JudgeQuestion, size_t> places_to_judge_;
};

}  // namespace

ScoredEvaluation score_answers(const EvalOptions& options, const EvalInputs& inputs,
                               const EvalQuestionnaire& asked, const EvalAnswers& answers,
                               const Tokenizer& tokenizer) {
  return Scorer(options, inputs, asked, answers, tokenizer).score();
}

void take_verdicts(const JudgeVerdicts& verdicts, ScoredEvaluation& scored) {
  const auto take = [&](std::optional<JudgedAnswer>& judged) {
    if (!judged) return;
    judged->verdict = verdicts.at(scored.to_judge[judged->question]);
    if (!judged->verdict) ++scored.skipped["judge: prompt longer than its context"];
  };
  const auto take_all = [&](Prediction& prediction) {
    for (ScoredFreeAnswer& answer : prediction.free) {
      take(answer.judged);
      take(answer.base_judged);
    }
  };
  for (auto& [place, block] : scored.blocks) {
    for (Prediction& prediction : block.predictions) {
      take_all(prediction);
      for (Prediction& at_once : prediction.at_once) take_all(at_once);
    }
  }
}

}  // namespace xkde
