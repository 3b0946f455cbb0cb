#ifndef XKDE_STAGES_TRAIN_SURVEY_H_
#define XKDE_STAGES_TRAIN_SURVEY_H_

#include <cstddef>
#include <cstdint>

#include "core/model/pretrained/pretrained.h"
#include "core/model/token_tree.h"
#include "core/text/chat_template.h"
#include "distributed/planner/planner.h"
#include "stages/recipe/recipe.h"
#include "stages/run/artifacts.h"
#include "stages/run/run_data.h"
#include "stages/run/run_place.h"
#include "stages/train/orpo_keys.h"
#include "stages/train/sft_keys.h"

namespace xkde::recipe {

/// What a training stage asks of a rank, found by laying out its first steps.
struct TrainWorkload {
  size_t stage = 0;  ///< its index in the recipe
  int64_t samples = 0;
  int64_t steps = 0;
  double tokens = 0.0;           ///< of a step, sequences laid out one by one, all ranks
  double computed_tokens = 0.0;  ///< rows that are computed, all ranks
  dist::PackShape largest;       ///< of any rank
  PackedBatch example;           ///< a pack of the first step, in host memory
  dist::StepWork work;           ///< of the rank that has most to do, mean over steps
  OptimizerKind optimizer = OptimizerKind::kAdamW;
  bool saves_async = false;  ///< a checkpoint may be written beside the next steps
};

/// Where a survey looks. All outlive it.
struct SurveyInputs {
  const Recipe& recipe;
  size_t stage;  ///< index of the stage in the recipe
  const PretrainedModel& model;
  const ChatTemplate& chat_template;
  const RunPlace& place;
  const Artifacts& artifacts;  ///< of the stages that are finished
  RunData& data;
};

/// The conversations of a stage's `train_data`: those of a file, or of the build_data stage above,
/// built where it is not finished. They live in `inputs.data`.
const std::vector<Conversation>& conversations_of(const std::string& train_data,
                                                  const SurveyInputs& inputs);
/// Makes the stage's samples. Throws as the stage would before its first step.
void check_sft(const SftStage& stage, const SurveyInputs& inputs);

/// Reads the stage's samples, or builds them where the build_data stage above is not finished. Not
/// collective. Throws as read_conversations and build_data do.
TrainWorkload survey_sft(const SftStage& stage, const SurveyInputs& inputs);
/// The pairs are not there yet: the survey takes prompts and answers of a usual length.
TrainWorkload survey_orpo(const OrpoStage& stage, const SurveyInputs& inputs);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_SURVEY_H_
