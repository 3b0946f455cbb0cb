#ifndef XKDE_CORE_MODEL_FAMILIES_TENSOR_LISTS_H_
#define XKDE_CORE_MODEL_FAMILIES_TENSOR_LISTS_H_

#include "core/model/families/family.h"

namespace xkde {

// What the lists of several families have in common.

inline constexpr bool kDecays = true;
inline constexpr bool kStays = false;

inline bool has_output(const ModelConfig& config) { return !config.tie_word_embeddings; }
inline bool has_attention_bias(const ModelConfig& config) { return config.attention_bias; }

inline constexpr TensorSpec kTokenEmbedding[] = {{TensorRole::kEmbedding,
                                                  "model.embed_tokens.weight",
                                                  "token_embd.weight",
                                                  {Extent::kVocab, Extent::kHidden}}};

/// A final norm, which does not decay, and an output matrix unless it is that of the embedding.
inline constexpr TensorSpec kNormAndOutput[] = {
    {TensorRole::kFinalNorm, "model.norm.weight", "output_norm.weight", {Extent::kHidden}, kStays},
    {TensorRole::kOutput,
     "lm_head.weight",
     "output.weight",
     {Extent::kVocab, Extent::kHidden},
     kDecays,
     GgufForm::kAsIs,
     has_output}};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_TENSOR_LISTS_H_
