#include "stages/evaluate/stage.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stop_signals.h"
#include "core/base/stopwatch.h"
#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_plan.h"
#include "core/evaluate/eval_questionnaire.h"
#include "core/evaluate/free_answers.h"
#include "core/evaluate/score_answers.h"
#include "core/io/atomic_file.h"
#include "core/nn/device_memory.h"
#include "distributed/comm/typed_gather.h"
#include "stages/evaluate/answers.h"
#include "stages/evaluate/cost.h"
#include "stages/evaluate/judge.h"
#include "stages/evaluate/questions.h"
#include "stages/evaluate/results.h"
#include "stages/evaluate/retrieval.h"
#include "stages/recipe/recipe_inputs.h"
#include "stages/recipe/run_record.h"
#include "stages/run/chunk_log.h"
#include "stages/run/output_path.h"
#include "stages/run/stage_folder.h"

namespace xkde::recipe {
namespace {

/// Verdicts are written where no input is.
void check_cache_apart(const EvaluateStage& stage, const Recipe& recipe) {
  if (!stage.judge || stage.judge->cache.empty()) return;
  check_apart(stage.judge->cache, inputs_of(recipe));
}

}  // namespace

void check_free_answers(const EvaluateStage& stage, const PretrainedModel& model,
                        const ChatTemplate& chat_template) {
  if (!stage.free_answers) return;
  const std::vector<FreeContext> contexts = FreeChoice(*stage.free_answers).contexts;
  const bool asks_chat =
      std::find(contexts.begin(), contexts.end(), FreeContext::kChat) != contexts.end();
  const bool is_plain =
      stage.chat_template == "plain" || (stage.chat_template == EvaluateStage::kModels &&
                                         chat_template.format() == ChatTemplate::Format::kPlain);
  XKDE_CHECK(!asks_chat || !is_plain, ConfigError,
             "contexts: expected a chat template beside chat, found plain text (leave chat out, or "
             "set chat_template)");
  XKDE_CHECK(!model.stop_ids(chat_template).empty(), DataError, model.path.string(),
             ": expected a token that ends an answer, as free answers end by themselves, found "
             "none in its config, generation config and tokenizer");
}

void run_evaluate(const EvaluateStage& stage, const std::filesystem::path& folder,
                  RunContext& context) {
  check_cache_apart(stage, context.recipe());
  reset_peak_bytes(context.device());
  EvalInputs inputs = read_eval_inputs(stage, context.data().files);
  cut_prefixes(inputs, context.tokenizer());
  if (context.is_root()) {
    for (const auto& [reason, count] : inputs.skipped)
      log::info(concat("evaluate: left out: ", reason, ": ", count));
  }
  std::vector<EditMoment> moments = edit_moments(stage.mode, stage.sizes, stage.eval_when,
                                                 inputs.edits_of_stream(), stage.by_age);
  const Stopwatch watch;
  EvalResources used{.ranks = context.comm().size(), .threads = at::get_num_threads()};
  Retrieved retrieved;
  std::vector<std::vector<std::string>> demonstrations;
  if (stage.retriever) {
    EvalRetriever retriever(*stage.retriever, context);
    if (stage.retrieves()) retrieved = retriever.facts(inputs, moments);
    if (stage.demonstrations) demonstrations = retriever.demonstrations(stage, inputs);
    used.preparation_seconds = watch.seconds();
    used.state_bytes = dist::sum_of_ranks(context.comm(), retriever.searched_bytes());
  }
  const EvalQuestionnaire asked =
      make_questionnaire(stage, inputs, std::move(moments), retrieved, demonstrations);
  const ChatTemplate& format = stage.chat_template == EvaluateStage::kModels
                                   ? context.chat_template()
                                   : context.chat_template(stage.chat_template);
  const ScoredPrompts scored(stage, inputs, asked, {context.tokenizer(), format});
  const AskedModel model = ask_model(stage, inputs, asked, scored, folder, context);
  used.preparation_seconds += model.editing.seconds;
  used.state_bytes += model.editing.state_bytes;
  EvalOutcome found;
  found.editor = model.editing.statistics;
  if (context.is_root())
    found.scored = score_answers(stage, inputs, asked, model.answers, context.tokenizer());
  if (stage.judge) found.judge = judge_answers(stage, found.scored, folder, context);
  used.peak_bytes = dist::largest_of_ranks(context.comm(), peak_bytes(context.device()));
  used.baseline_bytes = dist::largest_of_ranks(context.comm(), context.baseline_bytes());
  if (!context.is_root()) return;
  write_eval_results(stage, inputs, asked, found, folder, context);
  const Json cost = eval_cost(inputs, asked, used, folder / kMetricsFile);
  write_file_atomically(folder / kCostFile, cost.dump(1) + "\n");
}

void check_evaluate(const EvaluateStage& stage, const SurveyInputs& inputs) {
  check_cache_apart(stage, inputs.recipe);
  const EvalQuestions questions = eval_questions(stage, inputs);
  const ScoredPrompts scored(stage, questions.edits, questions.asked,
                             {inputs.model.tokenizer, questions.chat_template});
  for (size_t i = 0; i < questions.asked.prompts.size(); ++i) {
    check_stop();
    scored.at(i);
  }
}

}  // namespace xkde::recipe
