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

/// The long-context scaling of YaRN, arXiv:2309.00071: frequencies that turn less than `beta_slow`
/// times within the original length are divided by `factor`, those that turn more than `beta_fast`
/// times kept, a ramp over the pairs between. `truncates`: the ramp's ends are whole pairs. Source:
/// transformers modeling_rope_utils.py, _compute_yarn_parameters.
struct YarnRopeScaling {
  double theta = 10000.0;
  double factor = 1.0;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  int64_t original_max_position_embeddings = 0;
  bool truncates = true;
};
void scale_yarn(std::vector<float>& frequencies, const YarnRopeScaling& scaling);

/// Cosines and sines of a batch's positions, both [T, 1, R]. The first R of a head's E entries
/// turn.
struct RotaryTable {
  at::Tensor cos;
  at::Tensor sin;
  int64_t width() const { return cos.size(-1); }  ///< R
};

/// positions int64 [T], frequencies fp32 [R / 2]; computed in fp32, returned as `dtype`, times
/// `factor`.
RotaryTable rotary_table(const at::Tensor& positions, const at::Tensor& frequencies,
                         at::ScalarType dtype, double factor = 1.0);

/// Rotates the halves of what turns of each head: x [T, heads, E].
at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table);

}  // namespace xkde

#endif  // XKDE_CORE_NN_ROPE_H_
