#ifndef XKDE_DISTRIBUTED_COMM_NCCL_GUARD_H_
#define XKDE_DISTRIBUTED_COMM_NCCL_GUARD_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include "core/base/stopwatch.h"
#include "distributed/comm/arrival_board.h"
#include "distributed/comm/collective_call.h"

struct ncclComm;

namespace xkde::dist {

/// The functions of libnccl.so.2.
struct NcclLibrary;

/// Loaded by name on the first call, so that the program also runs where there is none. Throws
/// DeviceError.
const NcclLibrary& nccl_library();

/// ncclComm_t with the thread that watches over it. Collectives are put on the stream and are
/// not over when the call returns; a failed one aborts the communicator, and all calls throw
/// CommError from then on. The calls of both threads are serialised, and after an abort nothing
/// touches the handle. Destroyed by ncclCommAbort while an exception unwinds, else by
/// ncclCommDestroy.
class GuardedNcclComm {
 public:
  using Parts = std::vector<at::Tensor>;  ///< of all ranks, by rank

  /// `label` begins each error; `timeout_s` is that of one collective. `board`, which outlives it,
  /// tells a time-out who did not arrive.
  GuardedNcclComm(const NcclLibrary& nccl, ArrivalBoard& board, std::string label,
                  double timeout_s);
  ~GuardedNcclComm();
  GuardedNcclComm(const GuardedNcclComm&) = delete;
  GuardedNcclComm& operator=(const GuardedNcclComm&) = delete;

  /// The id that rank 0 makes for all.
  std::string make_id();
  /// Waits for the other ranks; the current device becomes this rank's.
  void init(const std::string& id, int rank, int size);
  /// The functions below, up to watch(), are parts of this call.
  void begin(const CollectiveCall& call, std::string_view phase);
  /// sends[r] -> rank r, receives[r] <- rank r, but for the own rank. `stream`: cudaStream_t.
  void exchange(const Parts& sends, const Parts& receives, void* stream);
  void all_gather(const at::Tensor& full, const at::Tensor& shard, void* stream);
  /// Sums in NCCL's own order, in the tensors' dtype.
  void sum_all(const at::Tensor& tensor, void* stream);
  void sum_scatter(const at::Tensor& shard, const at::Tensor& full, void* stream);
  void broadcast(const at::Tensor& tensor, int root, void* stream);
  /// Starts the time-out of the call, which is over when the event is.
  void watch(std::shared_ptr<c10::Event> done);
  void check_alive() const;
  /// Aborts; the first reason stays.
  void fail(const std::string& reason) noexcept;

 private:
  struct Named {
    CollectiveCall call;
    std::string title;
  };
  struct Pending {
    Named named;
    std::shared_ptr<c10::Event> done;
    Stopwatch waited;
  };

  // Results are ncclResult_t.
  int state();
  void issue(const std::function<int(ncclComm*)>& calls);
  void settle(const std::string& what);
  std::string words(int result) const;
  void run_watchdog(const std::stop_token& stop);
  void check_pending();

  const NcclLibrary& nccl_;
  ArrivalBoard& board_;
  std::string label_;
  double timeout_s_;
  int exceptions_;
  int rank_ = 0;
  Named current_;                       // of the caller's thread alone
  mutable std::recursive_mutex mutex_;  // guards all below
  ncclComm* comm_ = nullptr;
  std::string failure_;
  std::deque<Pending> pending_;
  std::condition_variable_any wake_;
  std::jthread watchdog_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_NCCL_GUARD_H_
