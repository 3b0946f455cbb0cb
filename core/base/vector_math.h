#ifndef XKDE_CORE_BASE_VECTOR_MATH_H_
#define XKDE_CORE_BASE_VECTOR_MATH_H_

#include <bit>
#include <cstdint>

// For the .cpp files of hot loops. The compiler makes one version for each instruction set and the
// loader picks; bodies are inlined into each. Loops are written so that they vectorise without
// reordering sums: in lanes. ThreadSanitizer is not there yet when the loader asks which to pick.
#ifdef __SANITIZE_THREAD__
#define XKDE_CLONES
#else
#define XKDE_CLONES [[gnu::target_clones("default", "avx2", "arch=x86-64-v4")]]
#endif
#define XKDE_INLINE [[gnu::always_inline]] inline

namespace xkde {

/// exp(x), relative error below 3e-7 (Cephes' polynomial), 0 below -87.
XKDE_INLINE float exponential(float x) {
  constexpr float kShift = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float clamped = x < -87.3F ? -87.3F : (x > 88.3F ? 88.3F : x);
  const float n = (clamped * 1.44269504088896341F + kShift) - kShift;
  float r = clamped - n * 0.693359375F;
  r = r + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const float power = std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
  return x < -87.3F ? 0.0F : p * power;
}

}  // namespace xkde

#endif  // XKDE_CORE_BASE_VECTOR_MATH_H_
