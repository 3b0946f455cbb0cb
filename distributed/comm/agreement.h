#ifndef XKDE_DISTRIBUTED_COMM_AGREEMENT_H_
#define XKDE_DISTRIBUTED_COMM_AGREEMENT_H_

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "distributed/comm/communicator.h"
#include "distributed/comm/typed_gather.h"

namespace xkde::dist {

/// Texts of different failures that one error names.
inline constexpr int kMostFailures = 4;

/// agree() for work whose result is bytes.
std::vector<std::string> agree_on_bytes(Communicator& comm,
                                        const std::function<std::string()>& local);

/// Runs `local`, which makes no collective calls, on every rank, and tells all ranks how it went.
/// Returns its results (of a type that gather() carries) in rank order. If it threw on some rank,
/// every rank throws the error of the first such rank: an Error as what it is, all others as
/// InternalError. Behind its text stand those of other ranks that say something else, up to
/// kMostFailures in all. A CommError passes through on the rank that has it. Collective.
template <typename Local>
std::vector<std::invoke_result_t<const Local&>> agree(Communicator& comm, const Local& local) {
  using Result = std::invoke_result_t<const Local&>;
  std::vector<Result> results;
  for (const std::string& bytes :
       agree_on_bytes(comm, [&local] { return HostBytes<Result>::to(local()); })) {
    results.push_back(HostBytes<Result>::from(bytes));
  }
  return results;
}

/// The same for work without a result.
void agree_on(Communicator& comm, const std::function<void()>& local);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_AGREEMENT_H_
