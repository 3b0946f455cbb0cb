#ifndef XKDE_DISTRIBUTED_COMM_CPU_REDUCE_H_
#define XKDE_DISTRIBUTED_COMM_CPU_REDUCE_H_

#include <cstdint>
#include <span>

#include <c10/core/ScalarType.h>

#include "distributed/comm/communicator.h"

namespace xkde::dist {

/// Whether collectives carry this element type: fp32, bf16, fp64 and int64.
bool is_collective_dtype(at::ScalarType dtype) noexcept;

/// out[i] <- inputs[0][i] op inputs[1][i] op ..., from left to right whatever the count, so that
/// the result depends on the values alone. bf16 is accumulated in fp32 and rounded once at the end
/// (to nearest even); it may also leave as fp32. kMax keeps a NaN; an int64 sum wraps around.
/// inputs: at least one array of `numel` elements of `dtype`; `out` (numel of `out_dtype`, which is
/// `dtype`, or fp32 for bf16) may be one of them, and overlaps none otherwise.
void reduce_in_order(void* out, at::ScalarType out_dtype, std::span<const void* const> inputs,
                     at::ScalarType dtype, int64_t numel, ReduceOp op);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_CPU_REDUCE_H_
