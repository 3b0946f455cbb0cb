#include "stages/evaluate/results.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/evaluate/published_values.h"
#include "core/evaluate/scorer_agreement.h"
#include "core/io/atomic_file.h"
#include "stages/evaluate/events.h"
#include "stages/recipe/run_record.h"

namespace xkde::recipe {
namespace {

/// Questions whose answers TensorBoard shows.
constexpr size_t kShownQuestions = 20;

Json statistics(const EvaluateStage& stage, const EvalInputs& inputs,
                const EvalQuestionnaire& asked, const EvalOutcome& found) {
  Json all{{"used", inputs.used}, {"skipped", inputs.skipped}};
  for (const auto& [reason, count] : found.scored.skipped) all["skipped"][reason] = count;
  all["questions"] = asked.items.size();
  all["distinct_prompts"] = asked.prompts.size();
  if (!found.editor.is_null()) all["editor"] = found.editor;
  if (!found.judge.is_null()) all["judge"] = found.judge;
  if (const auto agreement = scorer_agreement(stage, found.scored); !agreement.empty())
    all["scorer_agreement"] = agreement_json(agreement);
  return all;
}

/// Edits that come into the weights or the memory at once.
int64_t edits_at_once(const EvaluateStage& stage, int64_t size) {
  switch (stage.mode) {
    case EditMode::kSingle:
      return 1;
    case EditMode::kBatch:
      return size;
    case EditMode::kSequential:
      return stage.method->editor() ? std::min(stage.editor.batch, size) : 1;
  }
  throw InternalError("edit mode: not one of the enumerators");
}

}  // namespace

void write_eval_results(const EvaluateStage& stage, const EvalInputs& inputs,
                        const EvalQuestionnaire& asked, const EvalOutcome& found,
                        const std::filesystem::path& folder, const RunContext& context) {
  const ScoredEvaluation& scored = found.scored;
  for (const auto& [reason, count] : scored.skipped)
    log::info(concat("evaluate: left out: ", reason, ": ", count));
  const SummaryOptions options{.averaging = stage.averaging,
                               .k = stage.retrieves() ? stage.retriever->k : 0,
                               .resamples = stage.bootstrap_resamples,
                               .seed = static_cast<uint64_t>(context.recipe().seed)};
  const bool is_stream = stage.mode == EditMode::kSequential;
  std::string lines;
  std::vector<Json> first;
  std::vector<ResultRow> results;
  for (const auto& [place, block] : scored.blocks) {
    EvalScope scope{
        .benchmark = stage.benchmark,
        .phase = context.artifacts().weights_changed() ? "after" : "before",
        .mode = std::string(name_of(kEditModeNames, stage.mode)),
        .size = stage.sizes[place.first],
        .method = stage.method_label(),
        .eval_when = std::string(is_stream ? name_of(kEvalWhenNames, stage.eval_when) : "")};
    scope.records = block.records;
    scope.order = inputs.seeds.empty() ? kFileOrder : kDrawnOrder;
    if (!inputs.seeds.empty()) scope.seed = inputs.seeds[place.second];
    scope.batch = edits_at_once(stage, scope.size);
    scope.run_seed = context.recipe().seed;
    for (const Prediction& one : block.predictions) {
      Json line = prediction_json(scope, one);
      lines += line.dump() + "\n";
      if (first.size() < kShownQuestions) first.push_back(std::move(line));
    }
    const LanguagePair& pair = inputs.pairs[place.second];
    for (ResultRow& row : summarize(scope, pair, block.predictions, block.of_edits, options))
      results.push_back(std::move(row));
  }
  if (!inputs.seeds.empty()) {
    const std::vector<ResultRow> means = over_seeds(results);
    results.insert(results.end(), means.begin(), means.end());
  }
  const auto family = published_family(context.decoder().config());
  for (ResultRow& row : results) row.published = published_values(row, stage, family);
  write_file_atomically(folder / kPredictionsFile, lines);
  write_file_atomically(folder / kResultsFile, results_json(results).dump(1) + "\n");
  write_file_atomically(folder / kStatisticsFile,
                        statistics(stage, inputs, asked, found).dump(1) + "\n");
  if (context.recipe().reports_to(Reporter::kTensorBoard))
    write_eval_events(results, first, folder);
}

}  // namespace xkde::recipe
