#include "core/memory/search/code_kernels.h"

#include <bit>
#include <cstring>

#include <immintrin.h>

#include "core/base/vector_math.h"

// GCC 12 warns of its own intrinsics, which begin with registers of no value (its bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

// Functions with it are only called where the processor has these instructions.
#define XKDE_VNNI [[gnu::target("avx512f,avx512bw,avx512vl,avx512vnni")]]

namespace xkde::codes {
namespace {

constexpr int64_t kChunkLine = kChunkFacts * kSegment;

XKDE_INLINE int64_t keep_lanes(uint64_t kept, const int32_t* dots, int64_t fact, Candidate* out) {
  int64_t count = 0;
  for (; kept != 0; kept &= kept - 1) {
    const int lane = std::countr_zero(kept);
    out[count++] = {dots[lane], static_cast<uint16_t>(fact), static_cast<uint16_t>(lane)};
  }
  return count;
}

XKDE_CLONES int64_t scan_portable(const ScanCall& call, Candidate* out) {
  const int64_t lanes = call.vectors * kLanes;
  int64_t count = 0;
  for (int64_t fact = call.first; fact < call.last; ++fact) {
    int32_t dots[kMostVectors * kLanes];
    std::memcpy(dots, call.start, static_cast<size_t>(lanes) * sizeof(int32_t));
    const int8_t* query = call.queries;
    for (int64_t segment = 0; segment < call.segments; ++segment) {
      const uint8_t* code = call.codes + segment * kChunkLine + fact * kSegment;
      for (int64_t quad = 0; quad < kQuads; ++quad, code += kQuad, query += lanes * kQuad) {
        for (int64_t lane = 0; lane < lanes; ++lane) {
          const int8_t* four = query + lane * kQuad;
          dots[lane] +=
              code[0] * four[0] + code[1] * four[1] + code[2] * four[2] + code[3] * four[3];
        }
      }
    }
    uint64_t kept = 0;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const float limit = call.limit[lane] - call.error[fact] * call.error_factor[lane] -
                          call.rest[fact] * call.rest_factor[lane];
      const bool keeps = static_cast<float>(dots[lane]) * call.scale[fact] >= limit;
      kept |= static_cast<uint64_t>(keeps) << lane;
    }
    count += keep_lanes(kept, dots, fact, out + count);
  }
  return count;
}

XKDE_CLONES int32_t dot_portable(const uint8_t* codes, const int8_t* query, int64_t segments) {
  int32_t sum = 0;
  for (int64_t segment = 0; segment < segments; ++segment) {
    for (int64_t i = 0; i < kSegment; ++i) sum += codes[i] * query[i];
    codes += kChunkLine;
    query += kSegment;
  }
  return sum;
}

XKDE_VNNI inline int32_t four_codes(const uint8_t* codes) {
  int32_t value = 0;
  std::memcpy(&value, codes, sizeof value);
  return value;
}

/// Sums stay in registers: kTile facts times kVectors vectors of queries.
template <int kVectors>
XKDE_VNNI int64_t scan_vnni(const ScanCall& call, Candidate* out) {
  constexpr int kTile = 4;
  int64_t count = 0;
  for (int64_t fact = call.first; fact < call.last; fact += kTile) {
    __m512i sums[kTile][kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const __m512i start = _mm512_loadu_si512(call.start + v * kLanes);
#pragma GCC unroll 4
      for (int f = 0; f < kTile; ++f) sums[f][v] = start;
    }
    const int8_t* query = call.queries;
    for (int64_t segment = 0; segment < call.segments; ++segment) {
      const uint8_t* codes = call.codes + segment * kChunkLine + fact * kSegment;
      for (int64_t quad = 0; quad < kQuads; ++quad, codes += kQuad) {
        __m512i four[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v, query += kLanes * kQuad)
          four[v] = _mm512_loadu_si512(query);
#pragma GCC unroll 4
        for (int f = 0; f < kTile; ++f) {
          const __m512i code = _mm512_set1_epi32(four_codes(codes + f * kSegment));
#pragma GCC unroll 4
          for (int v = 0; v < kVectors; ++v) {
            sums[f][v] = _mm512_dpbusd_epi32(sums[f][v], code, four[v]);
          }
        }
      }
    }
#pragma GCC unroll 4
    for (int f = 0; f < kTile; ++f) {
      const __m512 scale = _mm512_set1_ps(call.scale[fact + f]);
      const __m512 error = _mm512_set1_ps(call.error[fact + f]);
      const __m512 rest = _mm512_set1_ps(call.rest[fact + f]);
      uint64_t kept = 0;
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        __m512 limit = _mm512_loadu_ps(call.limit + v * kLanes);
        limit = _mm512_fnmadd_ps(error, _mm512_loadu_ps(call.error_factor + v * kLanes), limit);
        limit = _mm512_fnmadd_ps(rest, _mm512_loadu_ps(call.rest_factor + v * kLanes), limit);
        const __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[f][v]), scale);
        kept |= static_cast<uint64_t>(_mm512_cmp_ps_mask(value, limit, _CMP_GE_OQ)) << (v * kLanes);
      }
      if (kept != 0) {
        int32_t dots[kVectors * kLanes];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) _mm512_storeu_si512(dots + v * kLanes, sums[f][v]);
        count += keep_lanes(kept, dots, fact + f, out + count);
      }
    }
  }
  return count;
}

int64_t scan_vnni_any(const ScanCall& call, Candidate* out) {
  switch (call.vectors) {
    case 1:
      return scan_vnni<1>(call, out);
    case 2:
      return scan_vnni<2>(call, out);
    case 3:
      return scan_vnni<3>(call, out);
    default:
      return scan_vnni<4>(call, out);
  }
}

XKDE_VNNI int32_t dot_vnni(const uint8_t* codes, const int8_t* query, int64_t segments) {
  __m512i sum = _mm512_setzero_si512();
  for (int64_t segment = 0; segment < segments; ++segment) {
    sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(codes), _mm512_loadu_si512(query));
    codes += kChunkLine;
    query += kSegment;
  }
  return _mm512_reduce_add_epi32(sum);
}

bool has_vnni() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

}  // namespace

const Kernels& portable_kernels() {
  static constexpr Kernels kernels{"portable", scan_portable, dot_portable};
  return kernels;
}

const Kernels& best_kernels() {
  static constexpr Kernels kernels{"avx512-vnni", scan_vnni_any, dot_vnni};
  static const bool there = has_vnni();
  return there ? kernels : portable_kernels();
}

}  // namespace xkde::codes
