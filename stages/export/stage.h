#ifndef XKDE_STAGES_EXPORT_STAGE_H_
#define XKDE_STAGES_EXPORT_STAGE_H_

#include "stages/export/keys.h"
#include "stages/run/run_context.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// Of the edit memory in an exported folder, which `xkde_dist ask` finds there.
inline constexpr const char* kExportedMemory = "edit_memory.h5";

/// Writes the model with its present weights as a Hugging Face folder, and the stage's edit memory
/// beside them; its adapter as a PEFT folder. It takes the place of an earlier export when it is
/// whole (FreshFolder). Throws ConfigError where anything else is at `stage.path`. Collective.
void run_export(const ExportStage& stage, RunContext& context);

/// Throws ConfigError where the stages above leave no adapter that `stage.adapter` could have.
void check_export(const ExportStage& stage, const SurveyInputs& inputs);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EXPORT_STAGE_H_
