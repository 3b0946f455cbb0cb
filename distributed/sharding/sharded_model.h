#ifndef XKDE_DISTRIBUTED_SHARDING_SHARDED_MODEL_H_
#define XKDE_DISTRIBUTED_SHARDING_SHARDED_MODEL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/loss/label_loss.h"
#include "core/model/decoder.h"
#include "core/model/token_tree.h"
#include "core/optim/adamw.h"
#include "distributed/comm/communicator.h"
#include "distributed/sharding/engine_options.h"
#include "distributed/sharding/gathered_weights.h"
#include "distributed/sharding/gradient_sums.h"
#include "distributed/sharding/process_mesh.h"
#include "distributed/sharding/run_model.h"
#include "distributed/sharding/shard_layout.h"
#include "distributed/sharding/shard_values.h"
#include "distributed/sharding/unit_schedule.h"

namespace xkde::dist {

/// A decoder whose parameters are flat fp32 shards, one per rank, and the explicit schedule of a
/// training step over its units: gather, compute, reduce, free. Every rank makes the same calls in
/// the same order unless a function says otherwise. Sources: arXiv:1910.02054, arXiv:2304.11277.
class ShardedModel final : public RunModel {
 public:
  /// `decoder` and `comm` outlive the model.
  ShardedModel(const Decoder& decoder, Communicator& comm, EngineOptions options);

  /// Fills this rank's masters. Not collective.
  void load(const ReadTensor& read_f32);
  const ShardLayout& layout() const noexcept override { return layout_; }
  const ProcessMesh& mesh() const noexcept { return mesh_; }
  at::Tensor& master() noexcept override { return master_; }
  at::Tensor& gradient() override { return sums_.shard(); }
  std::vector<DecayRange> decay_ranges() const override;
  void masters_changed() override;

  void begin_step() override;
  at::Tensor forward_backward(const PackedBatch* batch, bool last,
                              const LossOfLogProbs& loss = nullptr) override;
  at::Tensor finish_gradients() override { return sums_.finish(); }
  at::Tensor log_probs(const PackedBatch* batch) override;

  void make_resident() override;
  std::vector<at::Tensor> resident_parameters(size_t unit) override;

  /// All masters by Hugging Face name, in host memory, on rank 0 (empty elsewhere).
  std::map<std::string, at::Tensor> gather_masters();

 private:
  struct BlockRun {  // what a block's forward pass leaves for its backward pass
    at::Tensor input, output;
    std::vector<at::Tensor> parameters;
  };
  BlockRun run_block(const at::Tensor& x, const LayerContext& layer,
                     const std::vector<at::Tensor>& parameters) const;
  at::Tensor forward_block(const std::vector<at::Tensor>& weights, const at::Tensor& x,
                           const LayerContext& layer, BlockRun& run) const;
  at::Tensor backward_block(size_t unit, BlockRun& run, const at::Tensor& output_grad,
                            const BlockContext& context, bool last);
  void backward_embedding(const PackedBatch& batch, const at::Tensor& x_grad);

  const Decoder& decoder_;
  EngineOptions options_;
  ProcessMesh mesh_;
  ShardLayout layout_;
  at::Tensor master_;
  GatheredWeights weights_;
  UnitSchedule schedule_;
  GradientSums sums_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_SHARDED_MODEL_H_
