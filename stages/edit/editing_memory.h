#ifndef XKDE_STAGES_EDIT_EDITING_MEMORY_H_
#define XKDE_STAGES_EDIT_EDITING_MEMORY_H_

#include <cstdint>
#include <vector>

#include "core/editing/editable_model.h"
#include "core/editing/editor_options.h"
#include "distributed/planner/ask_memory.h"
#include "distributed/planner/memory_model.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// Bytes of a rank that writes edits into the weights. On a GPU those of the device.
struct EditingMemory {
  int64_t edits = 0;    ///< matrices that edits change: what they were, and what they are in fp32
  int64_t editor = 0;   ///< what the editor keeps from edit to edit
  int64_t writing = 0;  ///< the most that it needs beside these, while it begins or writes
};

/// What an editor of weights has to do.
struct EditingWork {
  EditorKind kind;
  const EditorOptions& editor;
  std::vector<std::vector<EditRequest>> batches;  ///< in the order in which they are written
  bool is_stream = true;  ///< whether batches stand together, and each is begun when its turn is
  int64_t edits_together = 0;  ///< the most that stand at once
};

/// `model`: the shape of the one that is edited, in `dtype`. Throws as check_editor() does, and
/// ConfigError for a module that the model lacks.
EditingMemory editing_memory(const EditingWork& work, const SurveyInputs& inputs,
                             const dist::ModelShape& model, at::ScalarType dtype);

/// As RunWeights holds the weights of the recipe's model: frozen where adapters are all that is
/// trained.
dist::WeightsHeld weights_held(const Recipe& recipe);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EDIT_EDITING_MEMORY_H_
