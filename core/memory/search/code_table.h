#ifndef XKDE_CORE_MEMORY_SEARCH_CODE_TABLE_H_
#define XKDE_CORE_MEMORY_SEARCH_CODE_TABLE_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/memory/search/code_kernels.h"
#include "core/memory/search/fact_rows.h"

namespace xkde {

/// Unit vectors as 8-bit codes in a basis in which the first dimensions hold most of their length,
/// and what bounds the error that this makes: a first look that never loses a fact.
///
/// A fact x is turned to y = x R (R orthonormal: principal axes of a sample, mixed within each
/// segment of 64 dimensions so that no coordinate is much larger than the others) and rounded to
/// scale * code + e. A query is treated alike. With Cauchy-Schwarz for what the codes leave out,
///   |q x - scale_q scale_x (code_q code_x over the first s segments)|
///     <= |rounded q| |e_x| + |e_q| |x| + |q beyond s| |x beyond s| + slack.
class CodeTable {
 public:
  /// Learns the basis from a sample of `rows`, which are at least one.
  explicit CodeTable(const FactRows& rows);

  /// Codes the whole chunks of kChunkFacts among `rows` that are not coded yet.
  void extend(const FactRows& rows);

  int64_t size() const noexcept { return std::ssize(chunks_) * codes::kChunkFacts; }
  int64_t segments() const noexcept { return segments_; }
  int64_t learned_from() const noexcept { return learned_from_; }

  struct Chunk {
    at::Tensor code_bytes;    ///< uint8 [segments, kChunkFacts, kSegment]: 128 + code
    at::Tensor scale, error;  ///< fp32 [kChunkFacts]; error: |e|
    at::Tensor rest;          ///< fp32 [segments + 1, kChunkFacts]: the length beyond s segments
  };
  const Chunk& chunk(int64_t index) const { return chunks_[static_cast<size_t>(index)]; }

  /// Queries, codes and bounds by number s of segments, 0 to segments().
  struct Queries {
    at::Tensor codes;      ///< int8 [Q, segments * kSegment]
    at::Tensor code_sums;  ///< int32 [Q, segments + 1]: the sum of the first s segments' codes
    std::vector<float> scale;
    at::Tensor rounded;  ///< fp32 [Q, segments + 1]: |scale * codes|
    at::Tensor slack;    ///< fp32 [Q, segments + 1]: |e_q| |x| and all rounding
    at::Tensor rest;     ///< fp32 [Q, segments + 1]
  };
  /// `queries`: fp64 [Q, stride] of unit_queries().
  Queries encode(const at::Tensor& queries) const;

 private:
  Chunk encode_chunk(const FactRows& rows, int64_t first) const;

  int64_t segments_;
  int64_t learned_from_;
  at::Tensor basis_;  ///< fp32 [stride, segments * kSegment]
  double slack_ = 0;  ///< of the turned coordinates' rounding
  std::vector<Chunk> chunks_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_SEARCH_CODE_TABLE_H_
