#ifndef XKDE_CORE_MODEL_DECODER_H_
#define XKDE_CORE_MODEL_DECODER_H_

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/families/model_config.h"
#include "core/model/token_tree.h"
#include "core/nn/attention.h"
#include "core/nn/rope.h"

namespace xkde {

/// A named tensor of a unit, in the order of the unit's flat parameter vector.
struct UnitTensor {
  std::string name;  ///< Hugging Face name
  std::vector<int64_t> shape;
  bool decays = true;  ///< takes weight decay (protocol 4.1, Q30: no biases, no norms)
};

/// The parameters that are gathered, used and freed together.
struct DecoderUnit {
  std::string name;
  std::vector<UnitTensor> tensors;
};

/// What all blocks of one forward pass share.
struct BlockContext {
  RotaryTable rotary;
  AttentionPlan attention;
};

/// A Llama or Qwen2 decoder as pure functions of its units' parameters: it owns none and knows no
/// ranks. Units: 0 the embedding, 1 … num_blocks() the blocks, head_unit() the final norm and,
/// unless tied to the embedding, the output matrix. Sources: arXiv:2302.13971, arXiv:2407.10671;
/// arithmetic as transformers.
class Decoder {
 public:
  explicit Decoder(ModelConfig config);

  const ModelConfig& config() const noexcept { return config_; }
  const std::vector<DecoderUnit>& units() const noexcept { return units_; }
  int64_t num_blocks() const noexcept { return config_.num_hidden_layers; }
  size_t head_unit() const noexcept { return units_.size() - 1; }
  bool tied() const noexcept { return config_.tie_word_embeddings; }

  /// The unit's parameters as the arithmetic wants them: views of `flat` [>= numel], neighbours
  /// that are multiplied with the same input joined by rows (q, k, v; gate, up). In flat order,
  /// without gaps.
  std::vector<at::Tensor> parameters(size_t unit, const at::Tensor& flat) const;

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
  DecoderUnit make_block(int64_t layer) const;
  ModelConfig config_;
  std::vector<DecoderUnit> units_;
  std::vector<float> frequencies_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_DECODER_H_
