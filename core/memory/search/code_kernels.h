#ifndef XKDE_CORE_MEMORY_SEARCH_CODE_KERNELS_H_
#define XKDE_CORE_MEMORY_SEARCH_CODE_KERNELS_H_

#include <cstdint>

namespace xkde::codes {

inline constexpr int64_t kSegment = 64;       ///< dimensions: one cache line of codes
inline constexpr int64_t kChunkFacts = 1024;  ///< facts of one call
inline constexpr int64_t kLanes = 16;         ///< queries of one vector
inline constexpr int64_t kMostVectors = 4;
inline constexpr int64_t kQuad = 4;  ///< dimensions of one 32-bit step
inline constexpr int64_t kQuads = kSegment / kQuad;

/// A first look at a chunk of facts for vectors * kLanes queries. Fact f is kept for query q when
///   scale[f] * dot(f, q) >= limit[q] - error[f] * error_factor[q] - rest[f] * rest_factor[q],
/// dot(f, q) = start[q] + the sum of codes[f][i] * queries[q][i] over the first `segments`.
struct ScanCall {
  const uint8_t* codes = nullptr;  ///< [segments][kChunkFacts][kSegment]
  const float* scale = nullptr;    ///< [kChunkFacts], as error and rest
  const float* error = nullptr;
  const float* rest = nullptr;
  const int8_t* queries = nullptr;  ///< [segments][kQuads][vectors * kLanes][kQuad]
  const int32_t* start = nullptr;   ///< [vectors * kLanes], as limit and the factors
  const float* limit = nullptr;     ///< infinite for a lane that takes nothing
  const float* error_factor = nullptr;
  const float* rest_factor = nullptr;
  int64_t segments = 0;
  int64_t vectors = 0;  ///< 1 to kMostVectors
  int64_t first = 0;    ///< of the facts to look at, [first, last): multiples of 4
  int64_t last = kChunkFacts;
};

struct Candidate {
  int32_t dot = 0;
  uint16_t fact = 0;  ///< in the chunk
  uint16_t lane = 0;
};

/// One instruction set's loops. All give the same dots; `scan` may differ between sets in what
/// rounding in fp32 decides.
struct Kernels {
  const char* name;
  /// Writes the kept pairs, facts in order, to `out` (room for kChunkFacts * vectors * kLanes);
  /// returns their number.
  int64_t (*scan)(const ScanCall& call, Candidate* out);
  /// The sum of codes * query over further segments of one fact. codes: of the first one, the next
  /// kChunkFacts * kSegment further on. query: int8 [segments * kSegment].
  int32_t (*dot)(const uint8_t* codes, const int8_t* query, int64_t segments);
};

const Kernels& portable_kernels();
/// Those for AVX-512 VNNI where this processor has it, else portable_kernels().
const Kernels& best_kernels();

}  // namespace xkde::codes

#endif  // XKDE_CORE_MEMORY_SEARCH_CODE_KERNELS_H_
