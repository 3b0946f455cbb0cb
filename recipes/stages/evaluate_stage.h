#ifndef XKDE_RECIPES_STAGES_EVALUATE_STAGE_H_
#define XKDE_RECIPES_STAGES_EVALUATE_STAGE_H_

#include <filesystem>
#include <string>

#include "recipes/stages/run_context.h"

namespace xkde::recipe {

/// Scores edits made in one language and asked in another by teacher forcing (protocol 6.1). Writes
/// results.json, predictions.jsonl and metrics.jsonl (one object a chunk) into `folder`. The ranks
/// take chunks of records from a shared counter; the files do not depend on how many there are.
/// Collective.
void run_evaluate(const EvaluateStage& stage, const std::filesystem::path& folder,
                  RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_RECIPES_STAGES_EVALUATE_STAGE_H_
