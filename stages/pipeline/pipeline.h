#ifndef XKDE_STAGES_PIPELINE_PIPELINE_H_
#define XKDE_STAGES_PIPELINE_PIPELINE_H_

#include <ATen/core/Tensor.h>

#include "distributed/comm/communicator.h"
#include "stages/pipeline/stage_places.h"
#include "stages/recipe/recipe.h"
#include "stages/run/run_context.h"
#include "stages/run/run_folder.h"

namespace xkde::recipe {

/// Runs the recipe's stages in order: skips what is complete and unchanged, goes on where a stage
/// was broken off, runs the rest, and prints the table of results. `changed`: what becomes of
/// stages that would end otherwise now. Bad data, and a recipe that does not fit, end the run
/// before the first stage works. Collective. An error passes through after run.json has its reason.
void run_pipeline(const Recipe& recipe, const RunFacts& facts, dist::Communicator& comm,
                  at::Device device, ChangedStages changed = ChangedStages::kRefuse);

/// Gives the context the weights with which the recipe ends: those that its last stage with weights
/// left, and those below them, where that one leaves a part alone; does nothing where there is no
/// such stage. Throws MissingInputError where one has not been run to its end. Collective.
void restore_last_training(const Recipe& recipe, RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PIPELINE_PIPELINE_H_
