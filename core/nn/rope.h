#ifndef XKDE_CORE_NN_ROPE_H_
#define XKDE_CORE_NN_ROPE_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace xkde {

/// theta^(-2i/E) for i in [0, E/2), as fp32. Source: arXiv:2104.09864.
std::vector<float> inverse_frequencies(int64_t head_dim, double theta);

/// The long-context scaling of Llama 3.x: slow frequencies are divided by `factor`, fast ones kept,
/// those between blended. Source: transformers modeling_rope_utils.py, _compute_llama3_parameters.
struct Llama3RopeScaling {
  double factor = 8.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  int64_t original_max_position_embeddings = 8192;
};
void scale_llama3(std::vector<float>& frequencies, const Llama3RopeScaling& scaling);

/// Cosines and sines of a batch's positions, both [T, 1, E].
struct RotaryTable {
  at::Tensor cos;
  at::Tensor sin;
};

/// positions int64 [T]; computed in fp32, returned as `dtype`.
RotaryTable rotary_table(const at::Tensor& positions, const at::Tensor& frequencies,
                         at::ScalarType dtype);

/// Rotates the halves of each head: x [T, heads, E].
at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table);

}  // namespace xkde

#endif  // XKDE_CORE_NN_ROPE_H_
