#ifndef XKDE_CORE_MODEL_DECODER_H_
#define XKDE_CORE_MODEL_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/block_products.h"
#include "core/model/families/family.h"
#include "core/model/families/model_config.h"
#include "core/model/token_tree.h"
#include "core/nn/attention.h"
#include "core/nn/rope.h"

namespace xkde {

/// What the blocks of one kind of layer share in one forward pass.
struct LayerContext {
  RotaryTable rotary;
  AttentionPlan attention;
};

/// What all blocks of one forward pass share: layers of one kind, those with a window or those
/// without, see the same LayerContext. The decoder that made it outlives it.
class BlockContext {
 public:
  BlockContext() = default;  ///< of a pass without rows
  /// `kind_of_layer` tells which of `kinds` each layer has.
  BlockContext(std::vector<LayerContext> kinds, const std::vector<size_t>& kind_of_layer)
      : kinds_(std::move(kinds)), kind_of_layer_(&kind_of_layer) {}

  const LayerContext& of(int64_t layer) const {
    return kinds_[(*kind_of_layer_)[static_cast<size_t>(layer)]];
  }
  std::vector<LayerContext>& kinds() { return kinds_; }
  const std::vector<LayerContext>& kinds() const { return kinds_; }

 private:
  std::vector<LayerContext> kinds_;
  const std::vector<size_t>* kind_of_layer_ = nullptr;
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
  /// A block whose products are not the plain ones. Where `block` is there, it sees to that.
  LayerProducts changed = {};
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
  /// What each of parameters() of a unit is, in their order.
  std::vector<TensorRole> parameter_roles(size_t unit) const;

  /// The rows of tokens `ids` int64 [T] behind the last block: [T, D]. What training, scoring,
  /// prefill and decoding share. The blocks see `context`. Undefined `ids`: visits the same units
  /// and computes nothing, for ranks that only take part in gathering.
  at::Tensor forward(const at::Tensor& ids, const BlockContext& context,
                     const UnitPass& pass) const;
  /// The rows of tokens before the first block, [T, D], by the parameters of unit 0.
  at::Tensor embed(const at::Tensor& ids, const std::vector<at::Tensor>& parameters) const;
  /// Logits [L, V] of rows [L, D] behind the last block.
  at::Tensor logits(const at::Tensor& rows, const UnitWeights& weights) const;

  /// Tables of cosines and sines for a batch, in `dtype`, beside the plans of its attention.
  BlockContext context(const PackedBatch& batch, at::ScalarType dtype) const;
  /// The tables alone, for positions int64 [T]: for callers that attend by themselves.
  BlockContext rotations(const at::Tensor& positions, at::ScalarType dtype) const;
  /// x [T, D] -> [T, D] through a block, whose parameters() and layer are given. `products` stand
  /// in for those with its weights; null: plain_product().
  at::Tensor block(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                   const LayerContext& layer, const BlockProducts* products = nullptr) const;
  /// The rows int64 [L] of block()'s output alone, [L, D]. Behind the attention a row needs no
  /// other, and nobody looks at the last block's rows but at those that predict something.
  at::Tensor block_of_rows(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                           const at::Tensor& rows, const LayerContext& layer) const;
  /// block() in two halves, for callers that attend by themselves: queries, keys and values before
  /// their rotation, [T, (H + 2K) E]; then all that follows the attention, whose output is
  /// `attended` [T, H E].
  at::Tensor block_qkv(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                       const BlockProducts* products = nullptr) const;
  at::Tensor block_rest(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                        const at::Tensor& attended, const BlockProducts* products = nullptr) const;
  /// block_rest() in two halves: the sum of the block's input and its attention, [T, D]; then that
  /// and the MLP's output.
  at::Tensor block_middle(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                          const at::Tensor& attended,
                          const BlockProducts* products = nullptr) const;
  at::Tensor block_mlp(const std::vector<at::Tensor>& parameters, const at::Tensor& middle,
                       const BlockProducts* products = nullptr) const;
  /// block_mlp() in two halves: the MLP's output, [T, D]; then all that follows, where it is
  /// `down`.
  at::Tensor block_down(const std::vector<at::Tensor>& parameters, const at::Tensor& middle,
                        const BlockProducts* products = nullptr) const;
  at::Tensor block_output(const std::vector<at::Tensor>& parameters, const at::Tensor& middle,
                          const at::Tensor& down) const;
  AttentionShape attention_shape() const;
  /// Of each layer: the nearest tokens that a token sees, itself included; 0: all.
  std::vector<int64_t> windows() const;
  /// What an embedding is multiplied with, as `dtype` rounds it; 1: nothing.
  double embedding_scale(at::ScalarType dtype) const;
  /// Logits are c tanh(l / c) of the products with the output matrix; 0: those.
  double logit_cap() const noexcept { return config_.final_logit_softcapping; }
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
  /// Layers that rotate and attend alike.
  struct LayerKind {
    std::vector<float> frequencies;
    double rotation_factor = 1.0;
    int64_t window = 0;
  };
  at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) const;
  at::Tensor norm_or(const at::Tensor& x, const at::Tensor& weight) const;
  at::Tensor norm_heads(const at::Tensor& qkv, const BlockParameters& parameters) const;
  void find_layer_kinds();
  RotaryTable rotary(const LayerKind& kind, const at::Tensor& positions,
                     at::ScalarType dtype) const;

  ModelConfig config_;
  std::vector<DecoderUnit> units_;
  std::vector<std::vector<Parameter>> parameters_;  ///< of each unit
  std::vector<LayerKind> kinds_;
  std::vector<size_t> kind_of_layer_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_DECODER_H_
