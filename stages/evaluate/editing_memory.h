#ifndef XKDE_STAGES_EVALUATE_EDITING_MEMORY_H_
#define XKDE_STAGES_EVALUATE_EDITING_MEMORY_H_

#include <cstdint>

#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_questionnaire.h"
#include "distributed/planner/memory_model.h"
#include "stages/evaluate/keys.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// Bytes of a rank that writes the edits of an evaluation into the weights. On a GPU those of the
/// device.
struct EditingMemory {
  int64_t edits = 0;    ///< matrices that edits change: what they were, and what they are in fp32
  int64_t editor = 0;   ///< what the editor keeps from edit to edit
  int64_t writing = 0;  ///< the most that it needs beside these, while it begins or writes
};

/// Of the method of `stage`, which writes weights; `asked.edited` are the edits that it writes.
/// `model`: the shape of the one that is edited, in `dtype`. Throws as check_editor() does, and
/// ConfigError for a module that the model lacks.
EditingMemory editing_memory(const EvaluateStage& stage, const EvalInputs& edits,
                             const EvalQuestionnaire& asked, const SurveyInputs& inputs,
                             const dist::ModelShape& model, at::ScalarType dtype);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_EDITING_MEMORY_H_
