#ifndef XKDE_STAGES_EVALUATE_COST_H_
#define XKDE_STAGES_EVALUATE_COST_H_

#include <cstdint>
#include <filesystem>

#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_questionnaire.h"
#include "core/io/json_file.h"
#include "stages/recipe/run_record.h"
#include "stages/run/run_context.h"

namespace xkde::recipe {

/// What an evaluation took beside what the lines of its chunks say.
struct EvalResources {
  int ranks = 0;
  int threads = 0;                 ///< of a rank
  double preparation_seconds = 0;  ///< before the first question could be asked, of this start
  int64_t state_bytes = 0;         ///< of all ranks: what is kept of the edits beside the model
  int64_t peak_bytes = 0;          ///< the largest of a rank
  int64_t baseline_bytes = 0;      ///< of the same, before it built the model; 0: it built none
};

/// The whole of kCostFile. `metrics` is the file of the stage's chunks, over all its starts: their
/// seconds are those of ranks, one beside the other. "answers"
/// has prompts, tokens and seconds of each kind of chunk; "seconds_per_edit" is the preparation's,
/// "seconds_per_question" that of all answers; null where nothing was counted. Throws IoError, and
/// DataError that names file and line.
Json eval_cost(const EvalInputs& inputs, const EvalQuestionnaire& asked, const EvalResources& used,
               const std::filesystem::path& metrics);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_COST_H_
