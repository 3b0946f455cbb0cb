#ifndef XKDE_CORE_MODEL_DECODER_H_
#define XKDE_CORE_MODEL_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/families/family.h"
#include "core/model/families/model_config.h"
#include "core/model/token_tree.h"
#include "core/nn/attention.h"
#include "core/nn/rope.h"

namespace xkde {

/// What all blocks of one forward pass share.
struct BlockContext {
  RotaryTable rotary;
  AttentionPlan attention;
};

/// Gives Decoder::parameters of a unit.
using UnitWeights = std::function<std::vector<at::Tensor>(size_t unit)>;

/// How a forward pass meets the units. It visits them in order: asks for a unit's weights, computes
/// with them, and says that it is done with them.
struct UnitPass {
  UnitWeights weights;
  /// x [T, D] -> [T, D] through a block, in place of Decoder::block, for callers that keep what a
  /// block computes or attend by themselves. Null: Decoder::block.
  std::function<at::Tensor(size_t unit, const std::vector<at::Tensor>& parameters,
                           const at::Tensor& x)>
      block = {};
  /// Called when the pass needs the unit's weights no more. Null: nobody wants to know.
  std::function<void(size_t unit)> done = {};
};

/// A decoder of one of families() as pure functions of its units' parameters: it owns none and
/// knows no ranks. Units: 0 the embedding, 1 … num_blocks() the blocks, head_unit() the final norm
/// and, unless tied to the embedding, the output matrix. Arithmetic as transformers.
class Decoder {
 public:
  explicit Decoder(ModelConfig config);

  const ModelConfig& config() const noexcept { return config_; }
  const std::vector<DecoderUnit>& units() const noexcept { return units_; }
  int64_t num_blocks() const noexcept { return config_.num_hidden_layers; }
  size_t head_unit() const noexcept { return units_.size() - 1; }
  bool tied() const noexcept { return config_.tie_word_embeddings; }
  /// The unit whose last parameter is the output matrix [V, D].
  size_t output_unit() const noexcept { return tied() ? 0 : head_unit(); }

  /// The unit's parameters as the arithmetic wants them: views of `flat` [>= numel], neighbours of
  /// one role (q, k, v; gate, up) joined by rows. In flat order, without gaps.
  std::vector<at::Tensor> parameters(size_t unit, const at::Tensor& flat) const;

  /// The rows of tokens `ids` int64 [T] behind the last block: [T, D]. What training, scoring,
  /// prefill and decoding share. The blocks see `context`. Undefined `ids`: visits the same units
  /// and computes nothing, for ranks that only take part in gathering.
  at::Tensor forward(const at::Tensor& ids, const BlockContext& context,
                     const UnitPass& pass) const;
  /// Logits [L, V] of rows [L, D] behind the last block.
  at::Tensor logits(const at::Tensor& rows, const UnitWeights& weights) const;

  /// Table of cosines and sines for a batch, in `dtype`, beside the plan of its attention.
  BlockContext context(const PackedBatch& batch, at::ScalarType dtype) const;
  /// x [T, D] -> [T, D] through the block of unit `unit`, whose parameters() are given.
  at::Tensor block(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                   const BlockContext& context) const;
  /// block() in two halves, for callers that attend by themselves: queries, keys and values before
  /// their rotation, [T, (H + 2K) E]; then all that follows the attention, whose output is
  /// `attended` [T, H E].
  at::Tensor block_qkv(const std::vector<at::Tensor>& parameters, const at::Tensor& x) const;
  at::Tensor block_rest(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                        const at::Tensor& attended) const;
  /// Table of cosines and sines for positions int64 [T], in `dtype`.
  RotaryTable rotary(const at::Tensor& positions, at::ScalarType dtype) const;
  AttentionShape attention_shape() const;
  /// Final norm of rows [L, D]; `weight` [D].
  at::Tensor final_norm(const at::Tensor& rows, const at::Tensor& weight) const;

  /// Linear multiply-adds of one token's forward pass through the blocks.
  int64_t block_parameters() const;

 private:
  /// One of parameters(): neighbours of one role as one tensor.
  struct Parameter {
    TensorRole role;
    std::vector<int64_t> shape;
  };
  class BlockParameters;
  static std::vector<Parameter> joined(const DecoderUnit& unit);
  at::Tensor embed(const at::Tensor& ids, const std::vector<at::Tensor>& parameters) const;

  ModelConfig config_;
  std::vector<DecoderUnit> units_;
  std::vector<std::vector<Parameter>> parameters_;  ///< of each unit
  std::vector<float> frequencies_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_DECODER_H_
