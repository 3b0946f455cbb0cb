#ifndef XKDE_CORE_MODEL_FAMILIES_GEMMA_H_
#define XKDE_CORE_MODEL_FAMILIES_GEMMA_H_

#include "core/model/families/tensor_lists.h"

namespace xkde {

// What Gemma 2 and Gemma 3 have in common.

/// The values of keys that a config.json may leave out.
struct GemmaDefaults {
  double attn_logit_softcapping = 0.0;
  double final_logit_softcapping = 0.0;
  int64_t period = 0;  ///< every period-th layer sees all tokens
};
/// Throws DataError.
void read_gemma(const ConfigReader& reader, const GemmaDefaults& defaults, ModelConfig& config);
void write_gemma(const ModelConfig& config, Json& json);
/// `largest_layers` is the number of layers of the one size whose scores are divided by the root of
/// D / H and not of the head's width: GGUF files do not say it.
void read_gemma_gguf(const GgufFile& file, int64_t largest_layers, Json& json);

inline constexpr Arithmetic kGemmaArithmetic = {.activation = Activation::kGeluTanh,
                                                .norms_add_one = true,
                                                .scales_embedding = true,
                                                .has_windows = true};

/// The head: GGUF files keep every norm plus one.
inline constexpr TensorSpec kGemmaHead[] = {{TensorRole::kFinalNorm,
                                             "model.norm.weight",
                                             "output_norm.weight",
                                             {Extent::kHidden},
                                             kStays,
                                             GgufForm::kPlusOne},
                                            {TensorRole::kOutput,
                                             "lm_head.weight",
                                             "output.weight",
                                             {Extent::kVocab, Extent::kHidden},
                                             kDecays,
                                             GgufForm::kAsIs,
                                             has_output}};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_GEMMA_H_
