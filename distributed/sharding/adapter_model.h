#ifndef XKDE_DISTRIBUTED_SHARDING_ADAPTER_MODEL_H_
#define XKDE_DISTRIBUTED_SHARDING_ADAPTER_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/loss/label_loss.h"
#include "core/model/lora.h"
#include "distributed/comm/communicator.h"
#include "distributed/sharding/engine_options.h"
#include "distributed/sharding/frozen_weights.h"
#include "distributed/sharding/gathered_weights.h"
#include "distributed/sharding/gradient_sums.h"
#include "distributed/sharding/process_mesh.h"
#include "distributed/sharding/run_model.h"
#include "distributed/sharding/shard_values.h"
#include "distributed/sharding/unit_schedule.h"

namespace xkde::dist {

/// A decoder whose own weights are frozen, with a low-rank adapter that is trained. The weights are
/// flat shards in the compute dtype or in blocks (FrozenWeights): no masters, no gradients and no
/// optimizer state are held for them, and no product is made for a gradient of theirs. The
/// adapter's matrices are fp32 shards, trained by ShardedModel's schedule. See
/// docs/decisions/0007-adapters.md.
class AdapterModel final : public RunModel {
 public:
  /// `decoder` and `comm` outlive the model. Without `lora` there is no adapter, and nothing to
  /// train. An empty `format_of` holds all weights in the compute dtype. Throws ConfigError as
  /// lora_blocks() does.
  AdapterModel(const Decoder& decoder, Communicator& comm, EngineOptions options,
               std::optional<LoraOptions> lora, const BlockFormatOf& format_of = nullptr);

  const FrozenWeights& base() const noexcept { return base_; }
  /// Fills this rank's frozen weights. Not collective.
  void load_base(const FrozenReader& read);

  const std::optional<LoraOptions>& lora() const noexcept { return lora_; }
  const std::vector<LoraBlock>& blocks() const noexcept { return blocks_; }  ///< of the adapter
  /// Fills this rank's share of the adapter. Not collective.
  void load(const ReadTensor& read);
  /// A new adapter, which changes nothing of what the model says. Not collective.
  void begin_adapter(uint64_t seed);
  /// From the next step on. Not collective.
  void set_dropout(double rate) { lora_->dropout = rate; }
  /// The adapter's matrices by PEFT's names, fp32 in host memory, on rank 0 (empty elsewhere) or on
  /// `all` ranks.
  std::map<std::string, at::Tensor> gather_adapter(bool all = false);

  // Of the adapter alone.
  const ShardLayout& layout() const noexcept override { return layout_; }
  at::Tensor& master() noexcept override { return master_; }
  at::Tensor& gradient() override { return sums_.shard(); }
  std::vector<DecayRange> decay_ranges() const override;
  void masters_changed() override;

  void begin_step() override;
  at::Tensor forward_backward(const PackedBatch* batch, bool last,
                              const LossOfLogProbs& loss = nullptr) override;
  at::Tensor finish_gradients() override { return sums_.finish(); }
  at::Tensor log_probs(const PackedBatch* batch) override;

  /// The adapter is merged into the weights that are asked, as an export merges it. All are there
  /// in the compute dtype until the next step.
  void make_resident() override;
  std::vector<at::Tensor> resident_parameters(size_t unit) override;

 private:
  struct BlockRun {  // what a block's forward pass leaves for its backward pass
    at::Tensor input, output;
    std::vector<at::Tensor> matrices;
  };
  /// What the blocks of one pass share.
  struct Pass {
    BlockContext context;
    const PackedBatch* batch = nullptr;
    bool drops = false;
  };
  std::vector<at::Tensor> matrices(size_t unit);
  Pass begin_forward(const PackedBatch* batch, bool drops);
  at::Tensor block(size_t unit, const std::vector<at::Tensor>& weights,
                   const std::vector<at::Tensor>& matrices, const at::Tensor& x,
                   const Pass& pass) const;
  BlockRun run_block(size_t unit, const std::vector<at::Tensor>& weights, const at::Tensor& x,
                     const Pass& pass);
  at::Tensor backward_block(size_t unit, BlockRun& run, const at::Tensor& output_grad,
                            const Pass& pass, bool last);
  at::Tensor gather_master(size_t block);
  at::Tensor merged(size_t unit);

  const Decoder& decoder_;
  EngineOptions options_;
  std::optional<LoraOptions> lora_;
  ProcessMesh mesh_;
  std::vector<LoraBlock> blocks_;
  ShardLayout base_layout_, layout_;
  FrozenWeights base_;
  at::Tensor master_;
  GatheredWeights adapters_;
  UnitSchedule schedule_;
  GradientSums sums_;
  std::vector<at::Tensor> merged_;  ///< by unit, flat, where an adapter is merged in
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_ADAPTER_MODEL_H_
