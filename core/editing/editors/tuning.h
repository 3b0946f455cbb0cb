#ifndef XKDE_CORE_EDITING_EDITORS_TUNING_H_
#define XKDE_CORE_EDITING_EDITORS_TUNING_H_

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editors/editor.h"
#include "core/model/token_tree.h"

namespace xkde {

/// What a tuning editor trains: a few fp32 tensors, and the rows that follow from them.
class Tunable {
 public:
  virtual ~Tunable() = default;
  /// The tensors, which are updated in place.
  virtual std::vector<at::Tensor> tensors() = 0;
  /// The block at whose input rows begin to depend on them.
  virtual int64_t layer() const = 0;
  /// The rows behind the last block, [T, D], with a graph that leads to `leaves`, which are
  /// tensors(). `rows` [T, D] are those at the input of block layer().
  virtual at::Tensor forward(const at::Tensor& rows, const BlockContext& context,
                             const std::vector<at::Tensor>& leaves) const = 0;
  /// Called after every update.
  virtual void limit() {}
};

/// How requests are trained on (docs/decisions/0009-editors.md).
struct TuningOptions {
  int64_t passes = 0;                 ///< over all requests, at most
  bool shuffles = false;              ///< anew in each pass
  bool trains_end = false;            ///< the end of a text stands behind each target
  bool at_last_prompt_token = false;  ///< all target tokens are read there
  int64_t max_tokens = 1024;          ///< rows of one pass through the blocks
  uint64_t seed = 0;
};

/// Adam over batches of `settings.batch_size` requests; the loss is the mean over a batch of the
/// mean over target tokens. A batch whose loss is below settings.stop_loss is passed over, and a
/// pass whose mean loss is ends it. Rows below the trained block are computed once. Collective
/// within the team. Throws NumericError where a loss is not finite, ConfigError where an end is to
/// be trained and the model has none.
EditNotes tune(const EditableModel& model, std::span<const EditRequest> requests,
               const EditorSettings& settings, const TuningOptions& options, Tunable& tunable,
               Team& team);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_EDITORS_TUNING_H_
