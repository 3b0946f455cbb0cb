#ifndef XKDE_STAGES_EVALUATE_MEMORY_H_
#define XKDE_STAGES_EVALUATE_MEMORY_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "distributed/planner/ask_memory.h"
#include "stages/evaluate/keys.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// What an evaluation makes a rank hold.
struct EvalMemory {
  dist::AskMemory model;
  std::optional<dist::AskMemory> judge;  ///< which is read when the model is freed

  int64_t peak() const { return std::max(model.peak(), judge ? judge->peak() : 0); }
};

/// Found from the texts that the evaluation will ask, without weights. `options` are those of the
/// run. Throws as check_evaluate() does, and what opening the judge throws.
EvalMemory evaluate_memory(const EvaluateStage& stage, const SurveyInputs& inputs,
                           const dist::EngineOptions& options);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_MEMORY_H_
