#ifndef XKDE_STAGES_TRAIN_RUN_TRAINING_H_
#define XKDE_STAGES_TRAIN_RUN_TRAINING_H_

#include <filesystem>

#include "stages/run/run_context.h"
#include "stages/train/trainer.h"

namespace xkde::recipe {

/// train() with the context's model, which holds the stage's weights afterwards. `keep_best`: the
/// checkpoint of the lowest score stays, too. `folder` is the stage's. Collective.
void run_training(TrainTask& task, const TrainKeys& keys, bool keep_best, const DevOptions& dev,
                  const std::filesystem::path& folder, RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_RUN_TRAINING_H_
