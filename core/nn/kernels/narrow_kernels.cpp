#include "core/nn/kernels/narrow_kernels.h"

#include <algorithm>

#include "core/base/vector_math.h"

namespace xkde::cpu {
namespace {

constexpr int64_t kLanes = 16;
/// One register with AVX-512.
typedef float Lanes [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]];
static_assert(sizeof(Lanes) == kLanes * sizeof(float));

XKDE_INLINE const Lanes& lanes_at(const float* p) { return *reinterpret_cast<const Lanes*>(p); }
XKDE_INLINE Lanes& lanes_at(float* p) { return *reinterpret_cast<Lanes*>(p); }

XKDE_INLINE float sum_of(const Lanes& lanes) {
  float halves[kLanes / 2];
  for (int64_t i = 0; i < kLanes / 2; ++i) halves[i] = lanes[i] + lanes[i + kLanes / 2];
  for (int64_t i = 0; i < kLanes / 4; ++i) halves[i] += halves[i + kLanes / 4];
  return (halves[0] + halves[2]) + (halves[1] + halves[3]);
}

/// R rows of x by O rows of weights: R · O vectors of sums stay in registers.
template <int R, int O>
XKDE_INLINE void dot_block(const float* x, const float* weight, int64_t inner, int64_t outer,
                           float* out) {
  Lanes sums[R][O] = {};
  const int64_t whole = inner - inner % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    Lanes weights[O];
    for (int o = 0; o < O; ++o) weights[o] = lanes_at(weight + o * inner + i);
    for (int r = 0; r < R; ++r) {
      const Lanes value = lanes_at(x + r * inner + i);
      for (int o = 0; o < O; ++o) sums[r][o] += value * weights[o];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int o = 0; o < O; ++o) {
      float sum = sum_of(sums[r][o]);
      for (int64_t i = whole; i < inner; ++i) sum += x[r * inner + i] * weight[o * inner + i];
      out[r * outer + o] = sum;
    }
  }
}

/// All rows of x by O rows of weights, which stay in the first cache.
template <int O>
XKDE_INLINE void dot_rows(const float* x, int64_t rows, const float* weight, int64_t inner,
                          int64_t outer, float* out) {
  int64_t r = 0;
  for (; r + 6 <= rows; r += 6)
    dot_block<6, O>(x + r * inner, weight, inner, outer, out + r * outer);
  x += r * inner;
  out += r * outer;
  switch (rows - r) {
    case 5:
      return dot_block<5, O>(x, weight, inner, outer, out);
    case 4:
      return dot_block<4, O>(x, weight, inner, outer, out);
    case 3:
      return dot_block<3, O>(x, weight, inner, outer, out);
    case 2:
      return dot_block<2, O>(x, weight, inner, outer, out);
    case 1:
      return dot_block<1, O>(x, weight, inner, outer, out);
    default:
      return;
  }
}

/// Rows of weights whose part of a panel stays in the first cache while all rows of x meet it.
constexpr int64_t kDepth = 64;
/// Vectors of a panel.
constexpr int kPanel = 4;

/// Adds to R rows of V vectors of sums, which stay in registers, what `depth` rows of weights give.
template <int R, int V>
XKDE_INLINE void panel_block(const float* x, int64_t outer, const float* weight, int64_t inner,
                             int64_t depth, float* out) {
  Lanes sums[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) sums[r][v] = lanes_at(out + r * inner + v * kLanes);
  }
  for (int64_t o = 0; o < depth; ++o) {
    const float* row = weight + o * inner;
    Lanes weights[V];
    for (int v = 0; v < V; ++v) weights[v] = lanes_at(row + v * kLanes);
    for (int r = 0; r < R; ++r) {
      const float value = x[r * outer + o];
      for (int v = 0; v < V; ++v) sums[r][v] += value * weights[v];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) lanes_at(out + r * inner + v * kLanes) = sums[r][v];
  }
}

/// The part of a panel that comes next is asked for before it is needed: its rows lie far apart.
XKDE_INLINE void fetch_panel(const float* weight, int64_t inner, int64_t depth, int64_t ahead) {
  for (int64_t o = 0; o < depth; ++o) {
    for (int v = 0; v < kPanel; ++v) __builtin_prefetch(weight + o * inner + ahead + v * kLanes);
  }
}

template <int V>
// NOLINTNEXTLINE(readability-function-size): pointers and sizes of a kernel
XKDE_INLINE void panel_rows(const float* x, int64_t rows, int64_t outer, const float* weight,
                            int64_t inner, int64_t depth, float* out) {
  int64_t r = 0;
  for (; r + 6 <= rows; r += 6)
    panel_block<6, V>(x + r * outer, outer, weight, inner, depth, out + r * inner);
  x += r * outer;
  out += r * inner;
  switch (rows - r) {
    case 5:
      return panel_block<5, V>(x, outer, weight, inner, depth, out);
    case 4:
      return panel_block<4, V>(x, outer, weight, inner, depth, out);
    case 3:
      return panel_block<3, V>(x, outer, weight, inner, depth, out);
    case 2:
      return panel_block<2, V>(x, outer, weight, inner, depth, out);
    case 1:
      return panel_block<1, V>(x, outer, weight, inner, depth, out);
    default:
      return;
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-function-size): pointers and sizes of a kernel
XKDE_CLONES void narrow_product(const float* x, int64_t rows, const float* weight, int64_t inner,
                                int64_t outer, int64_t first, int64_t last, float* out) {
  int64_t o = first;
  for (; o + 4 <= last; o += 4) dot_rows<4>(x, rows, weight + o * inner, inner, outer, out + o);
  for (; o < last; ++o) dot_rows<1>(x, rows, weight + o * inner, inner, outer, out + o);
}

// NOLINTNEXTLINE(readability-function-size): pointers and sizes of a kernel
XKDE_CLONES void narrow_product_back(const float* x, int64_t rows, const float* weight,
                                     int64_t inner, int64_t outer, int64_t first, int64_t last,
                                     float* out) {
  for (int64_t r = 0; r < rows; ++r)
    std::fill(out + r * inner + first, out + r * inner + last, 0.0F);
  constexpr int64_t kWidth = kPanel * kLanes;
  for (int64_t o = 0; o < outer; o += kDepth) {
    const int64_t depth = std::min(kDepth, outer - o);
    const float* part = weight + o * inner;
    int64_t i = first;
    for (; i + kWidth <= last; i += kWidth) {
      if (i + 2 * kWidth <= last) fetch_panel(part + i, inner, depth, kWidth);
      panel_rows<kPanel>(x + o, rows, outer, part + i, inner, depth, out + i);
    }
    for (; i + kLanes <= last; i += kLanes)
      panel_rows<1>(x + o, rows, outer, part + i, inner, depth, out + i);
    for (; i < last; ++i) {
      for (int64_t r = 0; r < rows; ++r) {
        float sum = out[r * inner + i];
        for (int64_t d = 0; d < depth; ++d) sum += x[r * outer + o + d] * part[d * inner + i];
        out[r * inner + i] = sum;
      }
    }
  }
}

}  // namespace xkde::cpu
