#ifndef XKDE_DISTRIBUTED_SHARDED_MODEL_H_
#define XKDE_DISTRIBUTED_SHARDED_MODEL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/decoder.h"
#include "core/model/token_tree.h"
#include "core/optim/adamw.h"
#include "distributed/communicator.h"
#include "distributed/shard_layout.h"

namespace xkde::dist {

/// What is sharded. Masters, moments and gradient sums always are.
enum class ShardMode {
  kFull,   ///< a unit's weights exist only while it computes (ZeRO-3)
  kGrads,  ///< the gathered weights stay through the step (ZeRO-2)
};
/// What the backward pass does with the activations of a block.
enum class Recompute {
  kBlock,  ///< keep the block's input, compute the rest again
  kNone,   ///< keep all
};

struct ShardedModelOptions {
  at::ScalarType compute_dtype = at::kFloat;  ///< fp32 or bf16, over fp32 masters
  ShardMode shard = ShardMode::kGrads;
  Recompute recompute = Recompute::kNone;  ///< kFull needs kBlock
  at::Device device = at::kCPU;
};

/// A decoder whose parameters are flat fp32 shards, one per rank, and the explicit schedule of a
/// training step over its units: gather, compute, reduce, free. Every rank makes the same calls in
/// the same order unless a function says otherwise. Sources: arXiv:1910.02054, arXiv:2304.11277.
class ShardedModel {
 public:
  /// `decoder` and `comm` outlive the model.
  ShardedModel(const Decoder& decoder, Communicator& comm, ShardedModelOptions options);

  /// Fills this rank's masters; `read_f32(name, out)` gives whole tensors. Not collective.
  void load(const std::function<void(const std::string&, std::span<float>)>& read_f32);
  const ShardLayout& layout() const noexcept { return layout_; }
  at::Tensor& master() noexcept { return master_; }      ///< fp32 [layout().state_numel]
  at::Tensor& gradient() noexcept { return gradient_; }  ///< fp32, as master()
  std::vector<DecayRange> decay_ranges() const;          ///< of this rank's state
  /// To be called after master() has been written to from outside.
  void masters_changed();

  /// Clears the gradient sums.
  void begin_step();
  /// Adds the gradients of one batch and returns its part of the loss: the sum of weight *
  /// cross-entropy. Null: this rank has no batch left while others have.
  double forward_backward(const PackedBatch* batch);
  /// Completes the gradient sums over ranks; returns their global 2-norm.
  double finish_gradients();

  /// Gathers all weights, so that predict() may be called by each rank on its own. Until
  /// masters_changed().
  void make_resident();
  /// The most likely next token at every label row, int64 [L]. Not collective; needs
  /// make_resident().
  at::Tensor predict(const PackedBatch& batch);

  /// All masters by Hugging Face name, on rank 0 (empty elsewhere).
  std::map<std::string, at::Tensor> gather_masters();

 private:
  struct BlockRun {  // what a block's forward pass leaves for its backward pass
    at::Tensor input, output;
    std::vector<at::Tensor> parameters;
  };
  bool alone() const { return comm_.size() == 1; }
  at::Tensor shard_of(const at::Tensor& state, size_t unit) const;
  void unshard(size_t unit);
  void reshard(size_t unit);
  at::Tensor embed(const PackedBatch& batch) const;
  BlockRun run_block(size_t unit, const at::Tensor& x, const BlockContext& context) const;
  at::Tensor backward_block(size_t unit, BlockRun& run, const at::Tensor& output_grad,
                            const BlockContext& context);
  double backward_head(const PackedBatch& batch, const at::Tensor& x, at::Tensor& x_grad);
  const at::Tensor& output_matrix() const;
  at::Tensor accumulator(size_t unit);
  void store_gradients(size_t unit, const std::vector<at::Tensor>& grads, size_t first);
  void reduce_gradients(size_t unit);
  void reduce_into_shard(size_t unit, const at::Tensor& full);

  const Decoder& decoder_;
  Communicator& comm_;
  ShardedModelOptions options_;
  ShardLayout layout_;
  at::Tensor master_, gradient_;
  std::vector<at::Tensor> gathered_;      // compute dtype, whole units; undefined: not gathered
  std::vector<at::Tensor> spare_;         // buffers of resharded blocks
  at::Tensor block_gradient_;             // fp32, one whole block
  std::vector<at::Tensor> accumulators_;  // fp32, whole embedding and head, over a step
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDED_MODEL_H_
