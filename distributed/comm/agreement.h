#ifndef XKDE_DISTRIBUTED_COMM_AGREEMENT_H_
#define XKDE_DISTRIBUTED_COMM_AGREEMENT_H_

#include <functional>
#include <string>
#include <vector>

#include "distributed/comm/communicator.h"

namespace xkde::dist {

/// Runs `local`, which makes no collective calls, on every rank, and tells all ranks how it went.
/// Returns what it gave on each rank, in rank order. If it threw on some rank, every rank throws
/// the error of the first such rank (IoError, CheckpointError and MemoryError as such, all others
/// as InternalError). Collective.
std::vector<std::string> agree(Communicator& comm, const std::function<std::string()>& local);

/// The same for work without a result.
void agree_on(Communicator& comm, const std::function<void()>& local);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_AGREEMENT_H_
