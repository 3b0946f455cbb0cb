#ifndef XKDE_STAGES_PIPELINE_STAGE_TABLE_H_
#define XKDE_STAGES_PIPELINE_STAGE_TABLE_H_

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "stages/evaluate/memory.h"
#include "stages/recipe/recipe.h"
#include "stages/recipe/stage.h"
#include "stages/run/artifacts.h"
#include "stages/run/run_context.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// What a stage asks of the model.
struct ModelDemand {
  std::string_view key;  ///< of the stage, for messages
  /// Throws where the stage could not do its work with it.
  void (*check)(const Stage& stage, const PretrainedModel& model,
                const ChatTemplate& chat_template);
};

/// What the pipeline does with one kind of stage. `folder` is the stage's own.
struct StageRunner {
  std::string_view name;
  /// Does the stage's work, or the rest of it where it was broken off. Collective.
  void (*run)(const Stage& stage, const std::filesystem::path& folder, RunContext& context);
  /// Asked before the first stage, on one rank; nothing where any model does.
  std::optional<ModelDemand> demand = std::nullopt;
  /// The file that the stage leaves for what comes after it.
  std::optional<LeftFile> leaves = std::nullopt;
  /// Gives the context the weights that a finished stage left; null where it leaves none.
  /// Collective.
  void (*restore)(const Stage& stage, const std::filesystem::path& folder,
                  RunContext& context) = nullptr;
  /// Finds what training asks of a rank; null where the stage does not train.
  TrainWorkload (*survey)(const Stage& stage, const SurveyInputs& inputs) = nullptr;
  /// What a rank holds while the stage asks or edits the model or watches its products; null where
  /// the stage does neither, or it is not known.
  EvalMemory (*memory)(const Stage& stage, const SurveyInputs& inputs,
                       const dist::EngineOptions& options) = nullptr;
  std::string_view memory_title = "asking";  ///< what the stage does then, in an estimate
  /// Turns what the stage reads, as far as it is there before the run, into what it computes with.
  /// Throws what the stage would throw; null where Stage::check_inputs tells all.
  void (*check)(const Stage& stage, const SurveyInputs& inputs) = nullptr;
  /// What a run asks before its first stage, as it would come up after others have worked for
  /// hours: all of `check`, or what of it is quick; null: nothing.
  void (*check_at_start)(const Stage& stage, const SurveyInputs& inputs) = nullptr;
  /// A digest of the questions that the stage leaves out because others of the recipe ask them;
  /// null where it leaves out none. Reads their data.
  std::string (*left_out)(const Stage& stage, const Recipe& recipe, LoadedData& files) = nullptr;
  /// What would need less memory: "a smaller sample.max_sequences". Empty where no key does.
  std::string_view lighter = "";
};

/// A row for each of kStageParsers, in the same order.
std::span<const StageRunner> stage_table();
/// Throws InternalError for a stage that is not in the table.
const StageRunner& runner_of(const Stage& stage);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PIPELINE_STAGE_TABLE_H_
