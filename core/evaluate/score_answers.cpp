#include "core/evaluate/score_answers.h"

#include <unordered_map>

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
    for (const ExtraMetric* metric : chosen_metrics(options.extra_metrics)) {
      if (metric->input == MetricInput::kContinuation) {
        score_continuations(*metric);
      } else {
        of_questions_.push_back(metric);
      }
    }
  }

  ScoredEvaluation score() const {
    ScoredEvaluation scored;
    size_t moment = asked_.moments.size();
    for (const EvalItem& item : asked_.items) {
      const EditMoment& when = asked_.moments[item.moment];
      const EvalStream& stream = inputs_.streams[when.stream];
      const auto position = static_cast<size_t>(when.edit);
      ScoredBlock& block = scored.blocks[{when.size, stream.pairs[position]}];
      const EvalEdit& edit = stream.edits[position];
      if (std::exchange(moment, item.moment) != item.moment) add_edit(block, edit);
      if (answers_.prompts[item.prompt].target_ids.empty() ||
          (item.reference && bare(*item.reference).target_ids.empty())) {
        ++scored.skipped[edit.asked[item.question].kind.name() +
                         ": prompt longer than the model's context"];
        continue;
      }
      block.predictions.push_back(
          prediction(item, stream, edit, inputs_.pairs[stream.pairs[position]]));
    }
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
    if (block.of_edits.empty()) {
      for (const Continued& continued : of_edits_)
        block.of_edits.push_back({std::string(continued.metric->name), {}});
    }
    for (size_t i = 0; i < of_edits_.size(); ++i)
      block.of_edits[i].values.push_back(of_edits_[i].values.at(edit.question));
  }

  const TargetAnswer& bare(size_t reference) const {
    return answers_.prompts[asked_.references[reference]];
  }

  Prediction prediction(const EvalItem& item, const EvalStream& stream, const EvalEdit& edit,
                        const LanguagePair& pair) const {
    const EditQuestion& question = edit.asked[item.question];
    const TargetAnswer& answer = answers_.prompts[item.prompt];
    Prediction scored;
    scored.record = edit.record;
    scored.edit_language = pair.first;
    scored.test_language = pair.second;
    scored.kind = question.kind;
    scored.probe = question.probe;
    scored.prompt = asked_.prompts[item.prompt].text.user;
    scored.target_ids = item.reference ? bare(*item.reference).predicted_ids : answer.target_ids;
    scored.predicted_ids = answer.predicted_ids;
    scored.score = token_accuracy(scored.predicted_ids, scored.target_ids);
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
    if (item.free) scored.answer = answers_.free[*item.free];
    add_extra(scored, question, language_of(pair.second).iso);
    return scored;
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
      scored.extra.push_back({metric, metric->score(answered)});
    }
  }

  const EvalOptions& options_;
  const EvalInputs& inputs_;
  const EvalQuestionnaire& asked_;
  const EvalAnswers& answers_;
  const Tokenizer& tokenizer_;
  std::vector<const ExtraMetric*> of_questions_;
  std::vector<Continued> of_edits_;
};

}  // namespace

ScoredEvaluation score_answers(const EvalOptions& options, const EvalInputs& inputs,
                               const EvalQuestionnaire& asked, const EvalAnswers& answers,
                               const Tokenizer& tokenizer) {
  return Scorer(options, inputs, asked, answers, tokenizer).score();
}

}  // namespace xkde
