#ifndef XKDE_CORE_GENERATE_SAMPLING_H_
#define XKDE_CORE_GENERATE_SAMPLING_H_

#include <cstdint>
#include <span>

namespace xkde {

/// Keys and meaning of transformers.GenerationConfig.
struct SamplingOptions {
  double temperature = 0.8;  ///< 0: the most likely token
  int64_t top_k = 0;         ///< only so many of the most likely tokens; 0: all
  double top_p = 1.0;        ///< then only the fewest most likely ones that make up this share
};

/// The next token: the one whose share of the distribution softmax(logits / temperature), cut to
/// top_k and top_p, holds `uniform` in [0, 1) when the tokens stand in the order of their ids. The
/// exponentials are fp32, their sums fp64, and the lower id goes first among equals, so that
/// nothing but the logits and `uniform` decides; a token less likely than the first by 1e-37 is
/// never drawn. Tokens of logit -infinity are never drawn. Throws NumericError where the logits
/// hold a NaN, +infinity, or nothing above -infinity.
int64_t sample_token(std::span<const float> logits, const SamplingOptions& options, double uniform);

}  // namespace xkde

#endif  // XKDE_CORE_GENERATE_SAMPLING_H_
