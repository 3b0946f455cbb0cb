#ifndef XKDE_DISTRIBUTED_NCCL_COMMUNICATOR_H_
#define XKDE_DISTRIBUTED_NCCL_COMMUNICATOR_H_

#include <memory>
#include <string>

#include "distributed/communicator.h"

namespace xkde::dist {

struct NcclOptions {
  std::string group = "world";  ///< names the group in errors
  double timeout_s = 1800;      ///< of one collective, from its turn on the stream on
  /// Ranks compare each call over `bootstrap` first. Costs a host round trip a call; off, a
  /// mismatch shows as a time-out.
  bool check_calls = false;
};

/// Whether this program was built with NCCL's headers.
bool has_nccl() noexcept;

/// A communicator ("nccl") for CUDA tensors on GPU `device`, one rank for each GPU; every rank of
/// `bootstrap` calls it. `bootstrap` outlives it, and carries the unique id, the lists of bytes,
/// the tickets, barrier()'s host side and abort(). libnccl.so.2 is loaded on first use. Collectives
/// run on a stream of their own, after the work on the caller's current stream; Work::wait() makes
/// the then current stream wait for them; a Work ends before its communicator. Reductions add in
/// rank order (bf16 in fp32): slices travel by NCCL's send and receive, and each rank adds its own.
/// A watchdog thread aborts the group when NCCL reports an error or a collective takes longer than
/// timeout_s; the next call, or Work::wait(), throws CommError with its name and number.
/// Throws DeviceError without NCCL, CUDA or the device.
std::unique_ptr<Communicator> make_nccl_communicator(Communicator& bootstrap, int device,
                                                     NcclOptions options = {});

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_NCCL_COMMUNICATOR_H_
