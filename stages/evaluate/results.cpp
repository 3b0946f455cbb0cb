#include "stages/evaluate/results.h"

#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/evaluate/edit_metrics.h"
#include "core/io/atomic_file.h"
#include "core/metrics/answer_overlap.h"
#include "core/metrics/fluency.h"
#include "core/metrics/normalized_answer.h"

namespace xkde::recipe {
namespace {

/// The predictions of one size and language pair, in the order of the files.
struct Block {
  std::vector<Prediction> predictions;
  std::vector<double> fluency;
};

class Scorer {
 public:
  Scorer(const EvaluateStage& stage, const EvalInputs& inputs, const EvalQuestionnaire& asked,
         const EvalAnswers& answers, const RunContext& context)
      : stage_(stage), inputs_(inputs), asked_(asked), answers_(answers), context_(context) {
    for (size_t i = 0; i < asked.fluency_prompts.size(); ++i)
      entropy_[asked.fluency_prompts[i]] = ngram_entropy(fluency_text(answers.fluency.at(i)));
  }

  /// By size and pair; counts what was left out in `skipped`.
  std::map<std::pair<size_t, size_t>, Block> score(std::map<std::string, int64_t>& skipped) const {
    std::map<std::pair<size_t, size_t>, Block> blocks;
    size_t moment = asked_.moments.size();
    for (const EvalItem& item : asked_.items) {
      const EditMoment& when = asked_.moments[item.moment];
      const EvalStream& stream = inputs_.streams[when.stream];
      const auto position = static_cast<size_t>(when.edit);
      Block& block = blocks[{when.size, stream.pairs[position]}];
      const EvalEdit& edit = stream.edits[position];
      if (std::exchange(moment, item.moment) != item.moment && !entropy_.empty())
        block.fluency.push_back(entropy_.at(edit.question));
      if (answers_.prompts[item.prompt].target_ids.empty() ||
          (item.reference && bare(*item.reference).target_ids.empty())) {
        ++skipped[edit.asked[item.question].kind.name() +
                  ": prompt longer than the model's context"];
        continue;
      }
      block.predictions.push_back(
          prediction(item, stream, edit, inputs_.pairs[stream.pairs[position]]));
    }
    return blocks;
  }

 private:
  const ScoredAnswer& bare(size_t reference) const {
    return answers_.prompts[asked_.references[reference]];
  }

  Prediction prediction(const EvalItem& item, const EvalStream& stream, const EvalEdit& edit,
                        const LanguagePair& pair) const {
    const EditQuestion& question = edit.asked[item.question];
    const ScoredAnswer& answer = answers_.prompts[item.prompt];
    Prediction scored;
    scored.record = edit.record;
    scored.edit_language = pair.first;
    scored.test_language = pair.second;
    scored.kind = question.kind;
    scored.probe = question.probe;
    scored.prompt = asked_.prompts[item.prompt].user;
    scored.target_ids = item.reference ? bare(*item.reference).predicted_ids : answer.target_ids;
    scored.predicted_ids = answer.predicted_ids;
    scored.score = token_accuracy(scored.predicted_ids, scored.target_ids);
    if (stage_.retrieves()) {
      scored.retrieved.emplace();
      for (const int64_t one : item.retrieved)
        scored.retrieved->push_back(stream.edits[static_cast<size_t>(one)].record);
      scored.rank_of_fact = item.rank_of_fact;
    }
    if (item.reference && !answers_.references.empty()) {
      const ScoredAnswer& untrained = answers_.references[*item.reference];
      scored.others.base_locality = token_accuracy(scored.predicted_ids, untrained.predicted_ids);
    }
    if (stage_.wants("f1")) count_overlap(scored);
    if (item.free) {
      scored.answer = answers_.free[*item.free];
      scored.others.exact =
          matches_any(scored.answer, question.answers, language_of(pair.second).iso) ? 1.0 : 0.0;
    }
    return scored;
  }

  void count_overlap(Prediction& scored) const {
    const Tokenizer& tokenizer = context_.tokenizer();
    const std::string said = tokenizer.decode(scored.predicted_ids);
    const std::string wanted = tokenizer.decode(scored.target_ids);
    const F1Formula formula =
        stage_.f1_formula == "squared" ? F1Formula::kSquared : F1Formula::kHarmonic;
    scored.others.f1 = answer_f1(tokenizer.encode(said), tokenizer.encode(wanted), formula);
    scored.others.em = said == wanted ? 1.0 : 0.0;
  }

  const EvaluateStage& stage_;
  const EvalInputs& inputs_;
  const EvalQuestionnaire& asked_;
  const EvalAnswers& answers_;
  const RunContext& context_;
  std::unordered_map<std::string, double> entropy_;  ///< by edit question
};

Json statistics(const EvalInputs& inputs, const EvalQuestionnaire& asked,
                const std::map<std::string, int64_t>& skipped) {
  Json all{{"used", inputs.used}, {"skipped", inputs.skipped}};
  for (const auto& [reason, count] : skipped) all["skipped"][reason] = count;
  all["questions"] = asked.items.size();
  all["distinct_prompts"] = asked.prompts.size();
  return all;
}

}  // namespace

void write_eval_results(const EvaluateStage& stage, const EvalInputs& inputs,
                        const EvalQuestionnaire& asked, const EvalAnswers& answers,
                        const std::filesystem::path& folder, const RunContext& context) {
  std::map<std::string, int64_t> skipped;
  const auto blocks = Scorer(stage, inputs, asked, answers, context).score(skipped);
  for (const auto& [reason, count] : skipped)
    log::info(concat("evaluate: left out: ", reason, ": ", count));
  const SummaryOptions options{
      .averaging = stage.averaging == "lte" ? Averaging::kLte : Averaging::kEasyEdit,
      .k = stage.retrieves() ? stage.retriever->k : 0,
      .resamples = stage.bootstrap_resamples,
      .seed = static_cast<uint64_t>(context.recipe().seed)};
  std::string lines;
  std::vector<ResultRow> results;
  for (const auto& [place, block] : blocks) {
    const EvalScope scope{.benchmark = stage.benchmark,
                          .phase = context.artifacts().weights_changed() ? "after" : "before",
                          .mode = stage.mode,
                          .size = stage.sizes[place.first],
                          .method = stage.method_label(),
                          .eval_when = stage.mode == "sequential" ? stage.eval_when : ""};
    for (const Prediction& one : block.predictions)
      lines += prediction_json(scope, one).dump() + "\n";
    const LanguagePair& pair = inputs.pairs[place.second];
    for (ResultRow& row : summarize(scope, pair, block.predictions, block.fluency, options))
      results.push_back(std::move(row));
  }
  write_file_atomically(folder / "predictions.jsonl", lines);
  write_file_atomically(folder / "results.json", results_json(results).dump(1) + "\n");
  write_file_atomically(folder / "statistics.json",
                        statistics(inputs, asked, skipped).dump(1) + "\n");
}

}  // namespace xkde::recipe
