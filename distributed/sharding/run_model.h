#ifndef XKDE_DISTRIBUTED_SHARDING_RUN_MODEL_H_
#define XKDE_DISTRIBUTED_SHARDING_RUN_MODEL_H_

#include <cstddef>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/decoder.h"
#include "distributed/sharding/trainable_model.h"

namespace xkde::dist {

/// A decoder that a run trains and asks. Every rank makes the same calls in the same order unless a
/// function says otherwise.
class RunModel : public TrainableModel {
 public:
  /// Gathers all weights, so that predict() may be called by each rank on its own. Until
  /// masters_changed().
  virtual void make_resident() = 0;
  /// Decoder::parameters of a unit in the compute dtype. Not collective; needs make_resident().
  virtual std::vector<at::Tensor> resident_parameters(size_t unit) = 0;
  /// The most likely next token at every label row, int64 [L], as linear_argmax() gives it; one
  /// block may have products of its own. Not collective; needs make_resident().
  at::Tensor predict(const PackedBatch& batch, const LayerProducts& changed = {});
  /// The log-probability of every label's target, fp32 [L]. Not collective; needs make_resident().
  at::Tensor label_log_probs(const PackedBatch& batch);
  /// The log-probabilities of all of `words`, int64 [W], at every label row, fp32 [L, W]; the
  /// labels' own targets are not looked at. Not collective; needs make_resident().
  at::Tensor label_log_probs(const PackedBatch& batch, const at::Tensor& words);

 protected:
  /// `decoder` outlives the model.
  RunModel(const Decoder& decoder, at::ScalarType dtype) : asked_(decoder), dtype_(dtype) {}

 private:
  /// The normed rows that predict the labels, [L, D].
  at::Tensor label_rows(const PackedBatch& batch, const LayerProducts& changed = {});

  const Decoder& asked_;
  at::ScalarType dtype_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_RUN_MODEL_H_
