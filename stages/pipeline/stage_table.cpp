#include "stages/pipeline/stage_table.h"

#include <algorithm>
#include <iterator>

#include "core/base/error.h"
#include "stages/build_data/built_data.h"
#include "stages/build_data/stage.h"
#include "stages/capability/stage.h"
#include "stages/covariance/stage.h"
#include "stages/edit/stage.h"
#include "stages/evaluate/questions.h"
#include "stages/evaluate/stage.h"
#include "stages/export/quantize_stage.h"
#include "stages/export/stage.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/preference/rank_stage.h"
#include "stages/preference/sample_stage.h"
#include "stages/recipe/run_record.h"
#include "stages/train/orpo_stage.h"
#include "stages/train/sft_stage.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// A function of one kind of stage as the table holds it.
template <class T, void (*kFunction)(const T&, const fs::path&, RunContext&)>
void call(const Stage& stage, const fs::path& folder, RunContext& context) {
  kFunction(as<T>(stage), folder, context);
}

template <class T, TrainWorkload (*kSurvey)(const T&, const SurveyInputs&)>
TrainWorkload survey(const Stage& stage, const SurveyInputs& inputs) {
  return kSurvey(as<T>(stage), inputs);
}

template <class T, void (*kCheck)(const T&, const SurveyInputs&)>
void check(const Stage& stage, const SurveyInputs& inputs) {
  kCheck(as<T>(stage), inputs);
}

constexpr StageRunner kRunners[] = {
    {.name = BuildDataStage::kName,
     .run = call<BuildDataStage, run_build_data>,
     .leaves = LeftFile{ArtifactKind::kTrainData, kTrainFile},
     .check =
         [](const Stage& stage, const SurveyInputs& inputs) {
           built_ahead(as<BuildDataStage>(stage), inputs.recipe, inputs.data);
         },
     .left_out =
         [](const Stage& stage, const Recipe& recipe, LoadedData& files) {
           return left_out_questions(as<BuildDataStage>(stage), recipe, files);
         }},
    {.name = SftStage::kName,
     .run = call<SftStage, run_sft>,
     .restore = call<SftStage, restore_sft>,
     .survey = survey<SftStage, survey_sft>,
     .check = check<SftStage, check_sft>,
     .lighter = "a smaller sft.max_tokens_per_pack, or more ranks"},
    {.name = SampleStage::kName,
     .run = call<SampleStage, run_sample>,
     .leaves = LeftFile{ArtifactKind::kSamples, kSamplesFile},
     .check = check<SampleStage, check_sample>,
     .lighter = "a smaller sample.max_sequences"},
    {.name = RankStage::kName,
     .run = call<RankStage, run_rank>,
     .leaves = LeftFile{ArtifactKind::kPairs, kPairsFile},
     .check = check<RankStage, check_rank>,
     .lighter = "a smaller rank.max_tokens_per_batch"},
    {.name = OrpoStage::kName,
     .run = call<OrpoStage, run_orpo>,
     .restore = call<OrpoStage, restore_orpo>,
     .survey = survey<OrpoStage, survey_orpo>,
     .check = check<OrpoStage, check_orpo>,
     .lighter = "a smaller orpo.max_tokens_per_pack, or more ranks"},
    {.name = EvaluateStage::kName,
     .run = call<EvaluateStage, run_evaluate>,
     .demand = ModelDemand{"free_answers",
                           [](const Stage& stage, const PretrainedModel& model,
                              const ChatTemplate& chat) {
                             check_free_answers(as<EvaluateStage>(stage), model, chat);
                           }},
     .leaves = LeftFile{ArtifactKind::kResults, kResultsFile},
     .memory =
         [](const Stage& stage, const SurveyInputs& inputs, const dist::EngineOptions& options) {
           return evaluate_memory(as<EvaluateStage>(stage), inputs, options);
         },
     .check = check<EvaluateStage, check_evaluate>,
     .check_at_start = check<EvaluateStage, check_editor_of>,
     .lighter = "a smaller evaluate.max_tokens_per_batch or evaluate.judge.max_tokens_per_batch"},
    {.name = CapabilityStage::kName,
     .run = call<CapabilityStage, run_capability>,
     .leaves = LeftFile{ArtifactKind::kResults, kResultsFile},
     .check = check<CapabilityStage, check_capability>,
     .check_at_start = check<CapabilityStage, check_capability>,
     .lighter = "a smaller capability.max_tokens_per_batch or capability.max_length"},
    {.name = CovarianceStage::kName,
     .run = call<CovarianceStage, run_covariance>,
     .leaves = LeftFile{ArtifactKind::kCovariance, kCovarianceFile},
     .memory =
         [](const Stage& stage, const SurveyInputs& inputs, const dist::EngineOptions& options) {
           return EvalMemory{covariance_memory(as<CovarianceStage>(stage), inputs, options), {}};
         },
     .memory_title = "moments",
     .check = check<CovarianceStage, check_covariance>,
     .check_at_start = check<CovarianceStage, check_covariance>,
     .lighter = "a smaller covariance.max_tokens_per_batch"},
    {.name = EditStage::kName,
     .run = call<EditStage, run_edit>,
     .restore = call<EditStage, restore_edit>,
     .memory =
         [](const Stage& stage, const SurveyInputs& inputs, const dist::EngineOptions& options) {
           return EvalMemory{edit_memory(as<EditStage>(stage), inputs, options), {}};
         },
     .memory_title = "editing",
     .check = check<EditStage, check_edit>,
     .check_at_start = check<EditStage, check_edit>,
     .lighter = "a smaller edit.editor.max_tokens_per_batch"},
    {.name = QuantizeStage::kName,
     .run = call<QuantizeStage, run_quantize>,
     .demand = ModelDemand{"type",
                           [](const Stage& stage, const PretrainedModel& model,
                              const ChatTemplate& chat) {
                             check_quantize(as<QuantizeStage>(stage), model, chat);
                           }},
     .restore = call<QuantizeStage, restore_quantize>},
    {.name = ExportStage::kName,
     .run = call<ExportStage, run_export>,
     .demand = ModelDemand{"format",
                           [](const Stage& stage, const PretrainedModel& model,
                              const ChatTemplate& chat) {
                             check_export_of_model(as<ExportStage>(stage), model, chat);
                           }},
     .check = check<ExportStage, check_export>},
};

static_assert(std::ranges::equal(kRunners, kStageParsers, {}, &StageRunner::name,
                                 &StageParser::name),
              "every stage has a parser and a runner, at the same place of both tables");

}  // namespace

std::span<const StageRunner> stage_table() { return kRunners; }

const StageRunner& runner_of(const Stage& stage) {
  const auto* const found =
      std::find_if(std::begin(kRunners), std::end(kRunners),
                   [&stage](const StageRunner& runner) { return runner.name == stage.name(); });
  XKDE_CHECK(found != std::end(kRunners), InternalError, "stage ", stage.name(),
             ": not in the table of stages");
  return *found;
}

}  // namespace xkde::recipe
