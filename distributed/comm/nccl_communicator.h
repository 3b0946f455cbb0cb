#ifndef XKDE_DISTRIBUTED_COMM_NCCL_COMMUNICATOR_H_
#define XKDE_DISTRIBUTED_COMM_NCCL_COMMUNICATOR_H_

#include <memory>
#include <string>

#include "distributed/comm/communicator.h"

namespace xkde::dist {

struct NcclOptions {
  std::string group = "world";  ///< names the group in errors
  double timeout_s = 1800;      ///< of one collective, from its turn on the stream on
  /// Ranks compare each call over `bootstrap` first. Costs a host round trip a call; off, a
  /// mismatch shows as a time-out.
  bool check_calls = false;
  /// Sums in rank order, bit-equal to the other backends'. Off, sums of fp32, fp64 and int64 are
  /// NCCL's own: faster, equal on all ranks, and from run to run on one layout of ranks and links.
  bool deterministic = false;
};

/// Whether this program was built with NCCL's headers.
bool has_nccl() noexcept;

/// A communicator ("nccl") for CUDA tensors on GPU `device`, one rank for each GPU; every rank of
/// `bootstrap` calls it. `bootstrap` outlives it, and carries the unique id, the lists of bytes,
/// the tickets, barrier()'s host side and abort(). libnccl.so.2 is loaded on first use. Collectives
/// run on a stream of their own, after the work on the caller's current stream; Work::wait() makes
/// the then current stream wait for them; a Work ends before its communicator. Sums of bf16, whose
/// contract is one rounding, and maxima (NaN stays) are taken in rank order: slices travel by
/// NCCL's send and receive, and each rank adds its own in fp32. A watchdog thread aborts the group
/// when NCCL reports an error or a collective takes longer than timeout_s; the next call, or
/// Work::wait(), throws CommError with its name, number and phase, and the ranks of this host that
/// did not arrive. Throws DeviceError without NCCL, CUDA or the device.
std::unique_ptr<Communicator> make_nccl_communicator(Communicator& bootstrap, int device,
                                                     NcclOptions options = {});

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_NCCL_COMMUNICATOR_H_
