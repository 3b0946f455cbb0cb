#include "core/nn/kernels/cpu_kernels.h"

#include <bit>
#include <cmath>

#include "core/base/vector_math.h"

namespace xkde::cpu {
namespace {

using c10::BFloat16;

constexpr int64_t kLanes = 16;

XKDE_INLINE float load(const float* p) { return *p; }
XKDE_INLINE float load(const BFloat16* p) {
  return std::bit_cast<float>(static_cast<uint32_t>(p->x) << 16);
}
XKDE_INLINE void store(float* p, float value) { *p = value; }
XKDE_INLINE void store(BFloat16* p, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  p->x = static_cast<uint16_t>(value != value ? 0x7FC0U : rounded);
}
template <typename T>
XKDE_INLINE float rounded(float value) {
  T result;
  store(&result, value);
  return load(&result);
}

/// Sum of term(i) over [0, n), in kLanes partial sums.
template <typename Term>
XKDE_INLINE float lane_sum(int64_t n, Term term) {
  float lanes[kLanes] = {};
  const int64_t whole = n - n % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  float sum = 0.0F;
  for (int64_t i = whole; i < n; ++i) sum += term(i);
  for (int64_t lane = 0; lane < kLanes; ++lane) sum += lanes[lane];
  return sum;
}

template <typename T, bool kPlusOne>
// NOLINTNEXTLINE(readability-function-size): pointers and sizes of a kernel
XKDE_INLINE void rms_norm_body(const T* x, const T* weight, T* out, float* scale, int64_t rows,
                               int64_t width, float eps) {
  for (int64_t t = 0; t < rows; ++t) {
    const T* row = x + t * width;
    T* to = out + t * width;
    const float squares =
        lane_sum(width, [row](int64_t i) { return load(row + i) * load(row + i); });
    const float inverse = 1.0F / std::sqrt(squares / static_cast<float>(width) + eps);
    scale[t] = inverse;
    for (int64_t i = 0; i < width; ++i) {
      if constexpr (kPlusOne) {
        store(to + i, load(row + i) * inverse * (1.0F + load(weight + i)));
      } else {
        store(to + i, load(weight + i) * rounded<T>(load(row + i) * inverse));
      }
    }
  }
}

template <typename T, bool kPlusOne>
// NOLINTNEXTLINE(readability-function-size): pointers and sizes of a kernel
XKDE_INLINE void rms_norm_backward_body(const T* out_grad, const T* x, const T* weight,
                                        const float* scale, T* x_grad, float* weight_grad,
                                        int64_t rows, int64_t width) {
  for (int64_t t = 0; t < rows; ++t) {
    const T* g = out_grad + t * width;
    const T* row = x + t * width;
    T* to = x_grad + t * width;
    const float inverse = scale[t];
    const auto factor = [weight](int64_t i) {
      return kPlusOne ? 1.0F + load(weight + i) : load(weight + i);
    };
    const float dot = lane_sum(
        width, [g, factor, row](int64_t i) { return load(g + i) * factor(i) * load(row + i); });
    const float along = dot * inverse * inverse / static_cast<float>(width);
    for (int64_t i = 0; i < width; ++i) {
      store(to + i, inverse * (load(g + i) * factor(i) - load(row + i) * along));
      const float normed = load(row + i) * inverse;
      weight_grad[i] += load(g + i) * (kPlusOne ? normed : rounded<T>(normed));
    }
  }
}

/// Both activations are g * sigmoid(z(g)); slope(g) is z'(g).
struct Silu {
  XKDE_INLINE static float argument(float g) { return g; }
  XKDE_INLINE static float slope(float) { return 1.0F; }
};
/// 0.5 g (1 + tanh(u)) = g sigmoid(2 u) with u = sqrt(2 / pi) (g + 0.044715 g^3).
struct GeluTanh {
  static constexpr float kTwice = 1.5957691216057308F;  // 2 sqrt(2 / pi)
  static constexpr float kCubic = 0.044715F;
  XKDE_INLINE static float argument(float g) { return kTwice * (g + kCubic * g * g * g); }
  XKDE_INLINE static float slope(float g) { return kTwice * (1.0F + 3.0F * kCubic * g * g); }
};

template <typename Activation, typename T>
XKDE_INLINE void gated_body(const T* gate_up, T* out, int64_t rows, int64_t width) {
  for (int64_t t = 0; t < rows; ++t) {
    const T* gate = gate_up + 2 * t * width;
    const T* up = gate + width;
    T* to = out + t * width;
    for (int64_t i = 0; i < width; ++i) {
      const float g = load(gate + i);
      const float active = rounded<T>(g / (1.0F + exponential(-Activation::argument(g))));
      store(to + i, active * load(up + i));
    }
  }
}

// Rows come as parameters: that is where the compiler believes __restrict.
template <typename Activation, typename T>
XKDE_INLINE void gated_backward_row(const T* __restrict grad, const T* __restrict gate,
                                    const T* __restrict up, T* __restrict to_gate,
                                    T* __restrict to_up, int64_t width) {
  for (int64_t i = 0; i < width; ++i) {
    const float g = load(gate + i);
    const float d = load(grad + i);
    const float sigmoid = 1.0F / (1.0F + exponential(-Activation::argument(g)));
    const float slope = Activation::slope(g);
    store(to_gate + i, d * load(up + i) * sigmoid * (1.0F + g * (1.0F - sigmoid) * slope));
    store(to_up + i, d * rounded<T>(g * sigmoid));
  }
}

template <typename Activation, typename T>
XKDE_INLINE void gated_backward_body(const T* out_grad, const T* gate_up, T* gate_up_grad,
                                     int64_t rows, int64_t width) {
  for (int64_t t = 0; t < rows; ++t) {
    const T* gate = gate_up + 2 * t * width;
    T* to = gate_up_grad + 2 * t * width;
    gated_backward_row<Activation>(out_grad + t * width, gate, gate + width, to, to + width, width);
  }
}

template <typename X, typename T>
XKDE_INLINE void rotate_body(const X* __restrict x, const T* __restrict cos,
                             const T* __restrict sin, T* __restrict out, HeadWidth width,
                             float sign) {
  const int64_t half = width.turning / 2;
  for (int64_t i = 0; i < half; ++i) {
    const float a = load(x + i);
    const float b = load(x + half + i);
    store(out + i, a * load(cos + i) - sign * b * load(sin + i));
    store(out + half + i, b * load(cos + half + i) + sign * a * load(sin + half + i));
  }
  for (int64_t i = width.turning; i < width.whole; ++i) store(out + i, load(x + i));
}

/// The largest of [0, n), n > 0, in kLanes partial ones.
template <typename T>
XKDE_INLINE float lane_max(const T* x, int64_t n) {
  float lanes[kLanes];
  for (float& lane : lanes) lane = -INFINITY;
  const auto take = [](float& largest, float value) {
    largest = value > largest ? value : largest;
  };
  const int64_t whole = n - n % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) take(lanes[lane], load(x + i + lane));
  }
  float largest = -INFINITY;
  for (int64_t i = whole; i < n; ++i) take(largest, load(x + i));
  for (const float lane : lanes) take(largest, lane);
  return largest;
}

template <typename T>
XKDE_INLINE void masked_softmax_body(T* scores, int64_t begin, int64_t end, int64_t width,
                                     float scale) {
  T* row = scores + begin;
  const int64_t count = end - begin;
  const float largest = lane_max(row, count);
  // The row may be rounded: its sum is that of the exact values.
  float weights[kLongestSoftmax];
  for (int64_t i = 0; i < count; ++i) {
    weights[i] = exponential(scale * (load(row + i) - largest));
  }
  const float inverse = 1.0F / lane_sum(count, [&weights](int64_t i) { return weights[i]; });
  for (int64_t i = 0; i < count; ++i) store(row + i, weights[i] * inverse);
  for (int64_t i = 0; i < begin; ++i) store(scores + i, 0.0F);
  for (int64_t i = end; i < width; ++i) store(scores + i, 0.0F);
}

template <typename T>
XKDE_INLINE void softmax_backward_body(const T* probabilities, T* gradient, int64_t width,
                                       float scale) {
  const float dot = lane_sum(width, [probabilities, gradient](int64_t i) {
    return load(probabilities + i) * load(gradient + i);
  });
  for (int64_t i = 0; i < width; ++i) {
    store(gradient + i, scale * load(probabilities + i) * (load(gradient + i) - dot));
  }
}

XKDE_INLINE float tanh_of(float x) { return 1.0F - 2.0F / (1.0F + exponential(2.0F * x)); }

template <typename T>
XKDE_INLINE void soft_cap_body(T* scores, int64_t n, float scale, float cap) {
  const float inner = scale / cap;
  for (int64_t i = 0; i < n; ++i) store(scores + i, cap * tanh_of(inner * load(scores + i)));
}

template <typename T>
XKDE_INLINE void soft_cap_backward_body(const T* __restrict scores, T* __restrict gradient,
                                        int64_t n, float scale, float cap) {
  const float inner = scale / cap;
  for (int64_t i = 0; i < n; ++i) {
    const float capped = tanh_of(inner * load(scores + i));
    store(gradient + i, load(gradient + i) * scale * (1.0F - capped * capped));
  }
}

template <typename T>
XKDE_INLINE void add_to_body(const T* x, float* sum, int64_t width) {
  for (int64_t i = 0; i < width; ++i) sum[i] += load(x + i);
}

}  // namespace

// One definition for each dtype: the attribute does not reach templates.
#define XKDE_FOR_BOTH(define) define(float) define(BFloat16)

#define XKDE_RMS_NORM(T, name, plus_one)                                                       \
  XKDE_CLONES void name(const T* x, const T* weight, T* out, float* scale, int64_t rows,       \
                        int64_t width, float eps) {                                            \
    rms_norm_body<T, plus_one>(x, weight, out, scale, rows, width, eps);                       \
  }                                                                                            \
  XKDE_CLONES void name##_backward(const T* out_grad, const T* x, const T* weight,             \
                                   const float* scale, T* x_grad, float* weight_grad,          \
                                   int64_t rows, int64_t width) {                              \
    rms_norm_backward_body<T, plus_one>(out_grad, x, weight, scale, x_grad, weight_grad, rows, \
                                        width);                                                \
  }
#define XKDE_RMS_NORMS(T)           \
  XKDE_RMS_NORM(T, rms_norm, false) \
  XKDE_RMS_NORM(T, rms_norm_plus_one, true)
XKDE_FOR_BOTH(XKDE_RMS_NORMS)

#define XKDE_GATED(T, name, Activation)                                                  \
  XKDE_CLONES void name(const T* gate_up, T* out, int64_t rows, int64_t width) {         \
    gated_body<Activation>(gate_up, out, rows, width);                                   \
  }                                                                                      \
  XKDE_CLONES void name##_backward(const T* out_grad, const T* gate_up, T* gate_up_grad, \
                                   int64_t rows, int64_t width) {                        \
    gated_backward_body<Activation>(out_grad, gate_up, gate_up_grad, rows, width);       \
  }
#define XKDE_ACTIVATIONS(T)   \
  XKDE_GATED(T, swiglu, Silu) \
  XKDE_GATED(T, geglu, GeluTanh)
XKDE_FOR_BOTH(XKDE_ACTIVATIONS)

#define XKDE_ROTATE(T)                                                                     \
  XKDE_CLONES void rotate(const T* x, const T* cos, const T* sin, T* out, HeadWidth width, \
                          bool inverse) {                                                  \
    rotate_body(x, cos, sin, out, width, inverse ? -1.0F : 1.0F);                          \
  }                                                                                        \
  XKDE_CLONES void rotate_back(const float* x, const T* cos, const T* sin, T* out,         \
                               HeadWidth width) {                                          \
    rotate_body(x, cos, sin, out, width, -1.0F);                                           \
  }
XKDE_FOR_BOTH(XKDE_ROTATE)

#define XKDE_SOFTMAX(T)                                                                    \
  XKDE_CLONES void masked_softmax(T* scores, int64_t begin, int64_t end, int64_t width,    \
                                  float scale) {                                           \
    masked_softmax_body(scores, begin, end, width, scale);                                 \
  }                                                                                        \
  XKDE_CLONES void softmax_backward(const T* probabilities, T* gradient, int64_t width,    \
                                    float scale) {                                         \
    softmax_backward_body(probabilities, gradient, width, scale);                          \
  }                                                                                        \
  XKDE_CLONES void soft_cap(T* scores, int64_t n, float scale, float cap) {                \
    soft_cap_body(scores, n, scale, cap);                                                  \
  }                                                                                        \
  XKDE_CLONES void soft_cap_backward(const T* scores, T* gradient, int64_t n, float scale, \
                                     float cap) {                                          \
    soft_cap_backward_body(scores, gradient, n, scale, cap);                               \
  }                                                                                        \
  XKDE_CLONES void add_to(const T* x, float* sum, int64_t width) { add_to_body(x, sum, width); }
XKDE_FOR_BOTH(XKDE_SOFTMAX)

}  // namespace xkde::cpu
