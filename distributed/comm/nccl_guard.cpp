#include "distributed/comm/nccl_guard.h"

#include <chrono>
#include <cstring>
#include <exception>
#include <utility>

#include <dlfcn.h>
#include <nccl.h>

#include "core/base/error.h"

namespace xkde::dist {

struct NcclLibrary {
  decltype(&ncclGetUniqueId) get_unique_id;
  decltype(&ncclCommInitRankConfig) comm_init_rank_config;
  decltype(&ncclCommFinalize) comm_finalize;
  decltype(&ncclCommDestroy) comm_destroy;
  decltype(&ncclCommAbort) comm_abort;
  decltype(&ncclCommGetAsyncError) comm_get_async_error;
  decltype(&ncclGetErrorString) get_error_string;
  decltype(&ncclGetLastError) get_last_error;
  decltype(&ncclGroupStart) group_start;
  decltype(&ncclGroupEnd) group_end;
  decltype(&ncclSend) send;
  decltype(&ncclRecv) recv;
  decltype(&ncclAllGather) all_gather;
  decltype(&ncclAllReduce) all_reduce;
  decltype(&ncclReduceScatter) reduce_scatter;
  decltype(&ncclBroadcast) broadcast;
};

namespace {

template <typename Function>
void bind(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  XKDE_CHECK(function != nullptr, DeviceError, "libnccl.so.2 has no ", name);
}

NcclLibrary open_nccl() {
  void* handle = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  XKDE_CHECK(handle != nullptr, DeviceError, "libnccl.so.2 cannot be loaded: ", dlerror());
  NcclLibrary nccl{};
  bind(handle, "ncclGetUniqueId", nccl.get_unique_id);
  bind(handle, "ncclCommInitRankConfig", nccl.comm_init_rank_config);
  bind(handle, "ncclCommFinalize", nccl.comm_finalize);
  bind(handle, "ncclCommDestroy", nccl.comm_destroy);
  bind(handle, "ncclCommAbort", nccl.comm_abort);
  bind(handle, "ncclCommGetAsyncError", nccl.comm_get_async_error);
  bind(handle, "ncclGetErrorString", nccl.get_error_string);
  bind(handle, "ncclGetLastError", nccl.get_last_error);
  bind(handle, "ncclGroupStart", nccl.group_start);
  bind(handle, "ncclGroupEnd", nccl.group_end);
  bind(handle, "ncclSend", nccl.send);
  bind(handle, "ncclRecv", nccl.recv);
  bind(handle, "ncclAllGather", nccl.all_gather);
  bind(handle, "ncclAllReduce", nccl.all_reduce);
  bind(handle, "ncclReduceScatter", nccl.reduce_scatter);
  bind(handle, "ncclBroadcast", nccl.broadcast);
  return nccl;
}

ncclDataType_t nccl_type(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return ncclFloat32;
    case at::kBFloat16:
      return ncclBfloat16;
    case at::kDouble:
      return ncclFloat64;
    case at::kLong:
      return ncclInt64;
    default:
      throw InternalError(concat("NCCL: no element type for ", c10::toString(dtype)));
  }
}

}  // namespace

const NcclLibrary& nccl_library() {
  static const NcclLibrary library = open_nccl();
  return library;
}

GuardedNcclComm::GuardedNcclComm(const NcclLibrary& nccl, ArrivalBoard& board, std::string label,
                                 double timeout_s)
    : nccl_(nccl),
      board_(board),
      label_(std::move(label)),
      timeout_s_(timeout_s),
      exceptions_(std::uncaught_exceptions()) {}

GuardedNcclComm::~GuardedNcclComm() {
  watchdog_ = std::jthread();  // asks it to stop, and joins
  if (comm_ == nullptr) return;
  if (std::uncaught_exceptions() > exceptions_) {
    nccl_.comm_abort(comm_);
    return;
  }
  // Finalize works in the background, as all calls of a non-blocking communicator.
  ncclResult_t result = nccl_.comm_finalize(comm_);
  const Stopwatch waited;
  while (result == ncclInProgress && waited.seconds() < timeout_s_) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (nccl_.comm_get_async_error(comm_, &result) != ncclSuccess) break;
  }
  if (result == ncclSuccess) {
    nccl_.comm_destroy(comm_);
  } else {
    nccl_.comm_abort(comm_);
  }
}

std::string GuardedNcclComm::words(int result) const {
  const char* last = comm_ != nullptr ? nccl_.get_last_error(comm_) : nullptr;
  return concat(nccl_.get_error_string(static_cast<ncclResult_t>(result)),
                last != nullptr && *last != '\0' ? concat(" (", last, ")") : std::string());
}

void GuardedNcclComm::fail(const std::string& reason) noexcept {
  const std::lock_guard lock(mutex_);
  if (!failure_.empty()) return;
  failure_ = reason;
  // Kernels on the stream end, so that nobody waits for the GPU for ever.
  if (comm_ != nullptr) nccl_.comm_abort(std::exchange(comm_, nullptr));
}

void GuardedNcclComm::check_alive() const {
  const std::lock_guard lock(mutex_);
  XKDE_CHECK(failure_.empty(), CommError, failure_);
}

int GuardedNcclComm::state() {
  ncclResult_t result = ncclInternalError;
  const ncclResult_t asked = nccl_.comm_get_async_error(comm_, &result);
  return asked == ncclSuccess ? result : asked;
}

void GuardedNcclComm::settle(const std::string& what) {
  const Stopwatch waited;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      check_alive();
      const int result = state();
      if (result == ncclSuccess) return;
      if (result != ncclInProgress) fail(concat(label_, what, ": ", words(result)));
      if (waited.seconds() > timeout_s_) {
        const bool meeting = current_.call.sequence == 0;
        fail(concat(label_, what, " did not begin within ", timeout_s_,
                    " s: ", meeting ? "a rank did not arrive" : board_.missing(current_.call)));
      }
      check_alive();
    }
    std::this_thread::yield();
  }
}

void GuardedNcclComm::init(const std::string& bytes, int rank, int size) {
  ncclUniqueId id{};
  XKDE_CHECK(bytes.size() == sizeof(id.internal), CommError, label_, "rank 0 has no NCCL id");
  std::memcpy(id.internal, bytes.data(), bytes.size());
  rank_ = rank;
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  {
    const std::lock_guard lock(mutex_);
    const ncclResult_t result = nccl_.comm_init_rank_config(&comm_, size, id, rank, &config);
    if (result != ncclSuccess && result != ncclInProgress) {
      fail(concat(label_, "ncclCommInitRankConfig: ", words(result)));
    }
    check_alive();
  }
  settle("ncclCommInitRankConfig");
  watchdog_ = std::jthread([this](std::stop_token stop) { run_watchdog(stop); });
}

void GuardedNcclComm::begin(const CollectiveCall& call, std::string_view phase) {
  current_ = {call, title(call, phase)};
  board_.arrive(call, phase);
}

void GuardedNcclComm::issue(const std::function<int(ncclComm*)>& calls) {
  {
    const std::lock_guard lock(mutex_);
    check_alive();
    const int result = calls(comm_);
    if (result != ncclSuccess && result != ncclInProgress) {
      fail(concat(label_, current_.title, ": ", words(result)));
    }
    check_alive();
  }
  settle(current_.title);
}

void GuardedNcclComm::watch(std::shared_ptr<c10::Event> done) {
  const std::lock_guard lock(mutex_);
  pending_.push_back({current_, std::move(done), Stopwatch()});
}

void GuardedNcclComm::check_pending() {
  while (!pending_.empty()) {
    if (!pending_.front().done->query()) break;
    pending_.pop_front();
    // A collective's time begins when those before it are over.
    if (!pending_.empty()) pending_.front().waited.restart();
  }
  if (comm_ == nullptr) return;
  if (const int result = state(); result != ncclSuccess && result != ncclInProgress) {
    const std::string at = pending_.empty() ? "between collectives" : pending_.front().named.title;
    fail(concat(label_, at, ": ", words(result)));
  } else if (!pending_.empty() && pending_.front().waited.seconds() > timeout_s_) {
    const Named& named = pending_.front().named;
    fail(concat(label_, named.title, " did not end within ", timeout_s_,
                " s: ", board_.missing(named.call)));
  }
}

void GuardedNcclComm::run_watchdog(const std::stop_token& stop) {
  constexpr auto kPeriod = std::chrono::milliseconds(100);
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested() && failure_.empty()) {
    try {
      check_pending();
    } catch (const std::exception& error) {
      // An event query reports the GPU's own errors; the caller's thread throws this one.
      fail(concat(label_, "GPU: ", error.what()));
    }
    wake_.wait_for(lock, stop, kPeriod, [] { return false; });
  }
}

std::string GuardedNcclComm::make_id() {
  ncclUniqueId id{};
  const ncclResult_t result = nccl_.get_unique_id(&id);
  if (result != ncclSuccess) fail(concat(label_, "ncclGetUniqueId: ", words(result)));
  // An empty id tells the others that there is none.
  return result == ncclSuccess ? std::string(id.internal, sizeof(id.internal)) : std::string();
}

void GuardedNcclComm::exchange(const Parts& sends, const Parts& receives, void* stream) {
  auto* const queue = static_cast<cudaStream_t>(stream);
  issue([&](ncclComm* comm) {
    ncclResult_t worst = nccl_.group_start();
    const auto note = [&worst](ncclResult_t result) {
      if (result != ncclSuccess && result != ncclInProgress) worst = result;
    };
    for (int r = 0; r < static_cast<int>(sends.size()); ++r) {
      if (r == rank_) continue;
      const at::Tensor& out = sends[static_cast<size_t>(r)];
      const at::Tensor& in = receives[static_cast<size_t>(r)];
      // An empty slice is empty on both sides: sizes agree between ranks.
      if (out.numel() > 0) {
        note(nccl_.send(out.const_data_ptr(), static_cast<size_t>(out.numel()),
                        nccl_type(out.scalar_type()), r, comm, queue));
      }
      if (in.numel() > 0) {
        note(nccl_.recv(in.mutable_data_ptr(), static_cast<size_t>(in.numel()),
                        nccl_type(in.scalar_type()), r, comm, queue));
      }
    }
    const ncclResult_t ended = nccl_.group_end();
    return static_cast<int>(worst == ncclSuccess ? ended : worst);
  });
}

void GuardedNcclComm::all_gather(const at::Tensor& full, const at::Tensor& shard, void* stream) {
  if (shard.numel() == 0) return;
  issue([&](ncclComm* comm) {
    return static_cast<int>(nccl_.all_gather(
        shard.const_data_ptr(), full.mutable_data_ptr(), static_cast<size_t>(shard.numel()),
        nccl_type(shard.scalar_type()), comm, static_cast<cudaStream_t>(stream)));
  });
}

void GuardedNcclComm::sum_all(const at::Tensor& tensor, void* stream) {
  if (tensor.numel() == 0) return;
  issue([&](ncclComm* comm) {
    return static_cast<int>(nccl_.all_reduce(
        tensor.const_data_ptr(), tensor.mutable_data_ptr(), static_cast<size_t>(tensor.numel()),
        nccl_type(tensor.scalar_type()), ncclSum, comm, static_cast<cudaStream_t>(stream)));
  });
}

void GuardedNcclComm::sum_scatter(const at::Tensor& shard, const at::Tensor& full, void* stream) {
  if (shard.numel() == 0) return;
  issue([&](ncclComm* comm) {
    return static_cast<int>(nccl_.reduce_scatter(
        full.const_data_ptr(), shard.mutable_data_ptr(), static_cast<size_t>(shard.numel()),
        nccl_type(shard.scalar_type()), ncclSum, comm, static_cast<cudaStream_t>(stream)));
  });
}

void GuardedNcclComm::broadcast(const at::Tensor& tensor, int root, void* stream) {
  if (tensor.numel() == 0) return;
  issue([&](ncclComm* comm) {
    return static_cast<int>(nccl_.broadcast(
        tensor.const_data_ptr(), tensor.mutable_data_ptr(), static_cast<size_t>(tensor.numel()),
        nccl_type(tensor.scalar_type()), root, comm, static_cast<cudaStream_t>(stream)));
  });
}

}  // namespace xkde::dist
