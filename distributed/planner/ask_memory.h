#ifndef XKDE_DISTRIBUTED_PLANNER_ASK_MEMORY_H_
#define XKDE_DISTRIBUTED_PLANNER_ASK_MEMORY_H_

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "distributed/planner/memory_model.h"
#include "distributed/sharding/engine_options.h"

namespace xkde::dist {

/// The most that a rank has at once while it asks a model that it holds whole.
struct AskShape {
  int64_t rows = 0;           ///< of a pass without gradients
  int64_t logit_rows = 0;     ///< whose logits are there at once
  int64_t cached_tokens = 0;  ///< whose keys and values wait for the next token of an answer
  int64_t passes = 0;  ///< of other numbers of rows, for which products have code of their own
};

/// Bytes of one rank that asks a model, by what holds them. On a GPU those of the device.
struct AskMemory {
  int64_t weights = 0;  ///< shards, and all units in the compute dtype
  int64_t edits = 0;    ///< matrices that edits changed: what they were, and what they are in fp32
  int64_t editor = 0;   ///< what the editor keeps of moments and earlier edits
  int64_t editing = 0;  ///< beside these while edits are written
  int64_t moments = 0;  ///< sums of second moments
  int64_t passes = 0;   ///< rows of a pass
  int64_t cache = 0;    ///< keys and values of answers
  int64_t logits = 0;
  int64_t runtime = 0;  ///< of the libraries

  /// Edits are written while nothing is asked.
  int64_t peak() const;
  std::array<std::pair<std::string_view, int64_t>, 9> items() const;
};

/// How a model's weights are held: with fp32 masters; frozen, in the compute dtype; frozen, with an
/// adapter that is merged into a copy of the blocks.
enum class WeightsHeld { kMasters, kFrozen, kAdapted };

/// Of the weights that a rank of `ranks` holds to ask on its own.
int64_t asked_weight_bytes(const ModelShape& model, const EngineOptions& options, int ranks,
                           WeightsHeld held);

/// Passes, cache and logits of asking, and `runtime`; the other members are 0.
AskMemory predict_asking(const ModelShape& model, const EngineOptions& options,
                         const AskShape& shape, const MemoryConstants& constants);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_PLANNER_ASK_MEMORY_H_
