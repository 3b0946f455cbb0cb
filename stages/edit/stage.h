#ifndef XKDE_STAGES_EDIT_STAGE_H_
#define XKDE_STAGES_EDIT_STAGE_H_

#include <filesystem>

#include "distributed/planner/ask_memory.h"
#include "stages/edit/keys.h"
#include "stages/run/run_context.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// The changed matrices (core/editing/edited_weights.h).
inline constexpr const char* kEditedFile = "weights.h5";
/// One object a request: what it was, and how writing it went.
inline constexpr const char* kEditsFile = "edits.jsonl";

/// Writes the stage's edits and leaves kEditedFile, kEditsFile and statistics.json in `folder`. A
/// run that was stopped or killed goes on from the last state that it saved, and ends with the same
/// bits. Collective. Throws StopRequested, NumericError where an edit diverges, and as EditSession.
void run_edit(const EditStage& stage, const std::filesystem::path& folder, RunContext& context);

/// Gives the context the weights that a finished stage left in its `folder`. Collective.
void restore_edit(const EditStage& stage, const std::filesystem::path& folder, RunContext& context);

/// What a rank holds while it writes the stage's edits, or takes edits back. `options` are those of
/// the run. Throws as check_edit() does.
dist::AskMemory edit_memory(const EditStage& stage, const SurveyInputs& inputs,
                            const dist::EngineOptions& options);

/// Throws where the stage could not begin, as check_editor().
void check_edit(const EditStage& stage, const SurveyInputs& inputs);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EDIT_STAGE_H_
