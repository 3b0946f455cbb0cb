#include "distributed/comm/mpi_communicator_messages.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "core/trace/trace_spans.h"
#include "distributed/comm/collective_call.h"
#include "distributed/comm/cpu_reduce.h"

namespace xkde::dist {
namespace {

constexpr int kCallTag = 1;
constexpr int kDataTag = 2;
constexpr int kTicketTag = 3;
constexpr int kReplyTag = 4;
constexpr int64_t kMessageBytes = int64_t{1} << 30;  // MPI counts with int
constexpr int64_t kReduceBytes = int64_t{4} << 20;   // of each peer, held while they are added
constexpr double kEagerSeconds = 1e-3;
constexpr auto kNap = std::chrono::microseconds(50);

/// Answers the ticket requests of all ranks from a thread of rank 0.
class TicketServer {
 public:
  explicit TicketServer(const MpiComm& comm) : comm_(comm.get()) {
    if (comm.rank() == 0 && comm.size() > 1) {
      thread_ = std::jthread([this](std::stop_token stop) { serve(stop); });
    }
  }
  int64_t take() { return next_.fetch_add(1); }
  void reset() { next_.store(0); }

 private:
  void serve(const std::stop_token& stop) {
    Stopwatch quiet;
    while (!stop.stop_requested()) {
      int found = 0;
      MPI_Status status;
      // An MPI error here has no one to catch it: the ranks that ask run into their time-out.
      if (MPI_Iprobe(MPI_ANY_SOURCE, kTicketTag, comm_, &found, &status) != MPI_SUCCESS) return;
      if (found != 0) {
        if (!answer(status.MPI_SOURCE)) return;
        quiet.restart();
      } else if (quiet.seconds() > kEagerSeconds) {
        std::this_thread::sleep_for(kNap);
      }
    }
  }

  bool answer(int peer) {
    char request = 0;
    const int received =
        MPI_Recv(&request, 1, MPI_CHAR, peer, kTicketTag, comm_, MPI_STATUS_IGNORE);
    const int64_t ticket = take();
    return received == MPI_SUCCESS &&
           MPI_Send(&ticket, 1, MPI_INT64_T, peer, kReplyTag, comm_) == MPI_SUCCESS;
  }

  MPI_Comm comm_;
  std::atomic<int64_t> next_{0};
  std::jthread thread_;  // last: it uses the rest
};

/// Names of the hosts of all ranks. Every rank of `comm` calls it.
std::vector<std::string> hosts_of(const MpiComm& comm) {
  using Name = std::array<char, MPI_MAX_PROCESSOR_NAME>;
  Name own{};
  int length = 0;
  mpi_check(MPI_Get_processor_name(own.data(), &length), "MPI_Get_processor_name");
  std::vector<Name> all(static_cast<size_t>(comm.size()));
  mpi_check(MPI_Allgather(own.data(), MPI_MAX_PROCESSOR_NAME, MPI_CHAR, all.data(),
                          MPI_MAX_PROCESSOR_NAME, MPI_CHAR, comm.get()),
            "MPI_Allgather");
  std::vector<std::string> names;
  for (const Name& name : all) names.emplace_back(name.data());
  return names;
}

struct Transfer {
  int peer;
  void* data;
  int64_t bytes;
};

class MessageCommunicator final : public Communicator {
 public:
  MessageCommunicator(MpiComm comm, std::string group, double timeout_s)
      : comm_(std::move(comm)),
        ticket_comm_(comm_.duplicate()),
        rank_(comm_.rank()),
        size_(comm_.size()),
        group_(std::move(group)),
        timeout_s_(timeout_s),
        calls_(static_cast<size_t>(size_)),
        hosts_(hosts_of(comm_)),
        tickets_(ticket_comm_) {}

  ~MessageCommunicator() override {
    if (failure_.empty()) return;
    comm_.abandon();
    ticket_comm_.abandon();
  }

  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return size_; }
  std::string backend() const override { return "mpi"; }
  std::unique_ptr<Work> all_reduce(at::Tensor tensor, ReduceOp op) override;
  std::unique_ptr<Work> all_gather(at::Tensor full, at::Tensor shard) override;
  std::unique_ptr<Work> reduce_scatter(at::Tensor shard, at::Tensor full, ReduceOp op) override;
  std::unique_ptr<Work> broadcast(at::Tensor tensor, int root) override;
  void barrier() override { start({.operation = Operation::kBarrier}); }
  std::unique_ptr<Communicator> split(int color, const std::string& group) override {
    barrier();  // a rank that failed shows here, and not as a hang in MPI
    auto comm = make_message_communicator(comm_.split(color), group, timeout_s_);
    comm->share_note(*this);
    return comm;
  }
  std::vector<std::string> all_gather_bytes(const std::string& bytes) override;
  std::string broadcast_bytes(const std::string& bytes, int root) override;
  int64_t next_ticket() override;
  void reset_counter() override;
  void abort(int exit_code) noexcept override { MPI_Abort(MPI_COMM_WORLD, exit_code); }

 private:
  /// Element bounds of the slices of one array: rank r owns [bounds[r], bounds[r + 1]).
  using Bounds = std::vector<int64_t>;

  void start(CollectiveCall call);
  void exchange(const std::vector<Transfer>& sends, const std::vector<Transfer>& receives, int tag);
  void await(std::vector<MPI_Request>& requests, const std::vector<int>& peers);
  [[noreturn]] void give_up(std::vector<MPI_Request>& requests, const std::vector<int>& peers);
  void reduce_slices(const at::Tensor& full, const Bounds& bounds, void* out,
                     at::ScalarType out_dtype, ReduceOp op);
  void gather_slices(char* full, int64_t item_bytes, const Bounds& bounds);
  void send_to_all(void* data, int64_t bytes, int root);

  MpiComm comm_;
  MpiComm ticket_comm_;  // of its own: the server probes it
  int rank_;
  int size_;
  std::string group_;
  double timeout_s_;
  int64_t sequence_ = 0;
  CollectiveCall call_;
  std::vector<CollectiveCall> calls_;
  std::vector<std::string> hosts_;  // of the ranks
  std::string failure_;
  TicketServer tickets_;
};

void MessageCommunicator::start(CollectiveCall call) {
  XKDE_CHECK(failure_.empty(), CommError, failure_);
  call.sequence = ++sequence_;
  call_ = call;
  note()->write(static_cast<int32_t>(call.operation), call.sequence, phase(), group_);
  calls_[static_cast<size_t>(rank_)] = call;
  std::vector<Transfer> sends;
  std::vector<Transfer> receives;
  for (int r = 0; r < size_; ++r) {
    if (r == rank_) continue;
    sends.push_back({r, &call_, sizeof(call_)});
    receives.push_back({r, &calls_[static_cast<size_t>(r)], sizeof(call_)});
  }
  exchange(sends, receives, kCallTag);
  try {
    check_agreement(group_, calls_);
  } catch (const CommError& error) {
    failure_ = error.what();
    throw;
  }
}

void MessageCommunicator::exchange(const std::vector<Transfer>& sends,
                                   const std::vector<Transfer>& receives, int tag) {
  std::vector<MPI_Request> requests;
  std::vector<int> peers;
  const auto post = [&](const Transfer& transfer, bool is_send) {
    for (int64_t offset = 0; offset < transfer.bytes; offset += kMessageBytes) {
      auto* data = static_cast<char*>(transfer.data) + offset;
      const int count = static_cast<int>(std::min(kMessageBytes, transfer.bytes - offset));
      peers.push_back(transfer.peer);
      MPI_Request& request = requests.emplace_back(MPI_REQUEST_NULL);
      const int code =
          is_send ? MPI_Isend(data, count, MPI_BYTE, transfer.peer, tag, comm_.get(), &request)
                  : MPI_Irecv(data, count, MPI_BYTE, transfer.peer, tag, comm_.get(), &request);
      mpi_check(code, is_send ? "MPI_Isend" : "MPI_Irecv");
    }
  };
  for (const Transfer& transfer : receives) post(transfer, false);
  for (const Transfer& transfer : sends) post(transfer, true);
  await(requests, peers);
}

void MessageCommunicator::await(std::vector<MPI_Request>& requests, const std::vector<int>& peers) {
  const TraceSpan span(TraceLane::kWait);
  const Stopwatch waited;
  for (;;) {
    int done = 0;
    const int code =
        MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
    if (code != MPI_SUCCESS)
      failure_ = concat("group ", group_, ": ", title(call_, place()), " failed");
    mpi_check(code, title(call_, place()).c_str());
    if (done != 0) return;
    const double seconds = waited.seconds();
    if (seconds > timeout_s_) give_up(requests, peers);
    if (seconds > kEagerSeconds) {
      std::this_thread::sleep_for(kNap);
    } else {
      std::this_thread::yield();
    }
  }
}

void MessageCommunicator::give_up(std::vector<MPI_Request>& requests,
                                  const std::vector<int>& peers) {
  std::vector<int> missing;
  for (size_t i = 0; i < requests.size(); ++i) {
    int done = 0;
    if (MPI_Test(&requests[i], &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done != 0) continue;
    missing.push_back(peers[i]);
    // Nothing may arrive in memory that unwinding gives back.
    MPI_Cancel(&requests[i]);
    MPI_Request_free(&requests[i]);
  }
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  std::string names;
  for (const int peer : missing) {
    names += concat(names.empty() ? "" : ", ", peer, " (", hosts_[static_cast<size_t>(peer)], ")");
  }
  failure_ = concat("group ", group_, ": rank ", names, " did not arrive at ",
                    title(call_, place()), " within ", timeout_s_, " s");
  throw CommError(failure_);
}

void MessageCommunicator::reduce_slices(const at::Tensor& full, const Bounds& bounds, void* out,
                                        at::ScalarType out_dtype, ReduceOp op) {
  const auto item = static_cast<int64_t>(full.element_size());
  const auto out_item = static_cast<int64_t>(c10::elementSize(out_dtype));
  auto* data = static_cast<char*>(const_cast<void*>(full.const_data_ptr()));  // MPI's signature
  const auto count = [&](int r) {
    return bounds[static_cast<size_t>(r) + 1] - bounds[static_cast<size_t>(r)];
  };
  const auto slice = [&](int r, int64_t offset) {
    return data + (bounds[static_cast<size_t>(r)] + offset) * item;
  };
  const int64_t step = kReduceBytes / item;
  int64_t longest = 0;
  for (int r = 0; r < size_; ++r) longest = std::max(longest, count(r));
  const int64_t section = std::min(step, count(rank_)) * item;
  std::vector<char> staging(static_cast<size_t>(section * size_));
  for (int64_t offset = 0; offset < longest; offset += step) {
    const auto part = [&](int r) { return std::clamp(count(r) - offset, int64_t{0}, step); };
    std::vector<Transfer> sends;
    std::vector<Transfer> receives;
    std::vector<const void*> inputs;
    for (int r = 0; r < size_; ++r) {
      char* from = r == rank_ ? slice(r, offset) : staging.data() + section * r;
      inputs.push_back(from);
      if (r == rank_) continue;
      sends.push_back({r, slice(r, offset), part(r) * item});
      receives.push_back({r, from, part(rank_) * item});
    }
    exchange(sends, receives, kDataTag);
    reduce_in_order(static_cast<char*>(out) + offset * out_item, out_dtype, inputs,
                    full.scalar_type(), part(rank_), op);
  }
}

void MessageCommunicator::gather_slices(char* full, int64_t item_bytes, const Bounds& bounds) {
  const auto begin = [&](int r) { return full + bounds[static_cast<size_t>(r)] * item_bytes; };
  const auto bytes = [&](int r) { return begin(r + 1) - begin(r); };
  std::vector<Transfer> sends;
  std::vector<Transfer> receives;
  for (int r = 0; r < size_; ++r) {
    if (r == rank_) continue;
    sends.push_back({r, begin(rank_), bytes(rank_)});
    receives.push_back({r, begin(r), bytes(r)});
  }
  exchange(sends, receives, kDataTag);
}

void MessageCommunicator::send_to_all(void* data, int64_t bytes, int root) {
  for (int64_t offset = 0; offset < bytes; offset += kMessageBytes) {
    const int count = static_cast<int>(std::min(kMessageBytes, bytes - offset));
    std::vector<MPI_Request> requests(1, MPI_REQUEST_NULL);
    mpi_check(MPI_Ibcast(static_cast<char*>(data) + offset, count, MPI_BYTE, root, comm_.get(),
                         requests.data()),
              "MPI_Ibcast");
    await(requests, {root});
  }
}

std::unique_ptr<Work> MessageCommunicator::all_reduce(at::Tensor tensor, ReduceOp op) {
  start(CallChecker{size_, c10::DeviceType::CPU}.all_reduce(tensor, op));
  Bounds bounds;
  for (int r = 0; r <= size_; ++r) bounds.push_back(tensor.numel() * r / size_);
  auto* data = static_cast<char*>(tensor.mutable_data_ptr());
  const auto item = static_cast<int64_t>(tensor.element_size());
  char* own = data + bounds[static_cast<size_t>(rank_)] * item;
  reduce_slices(tensor, bounds, own, tensor.scalar_type(), op);
  gather_slices(data, item, bounds);
  return std::make_unique<FinishedWork>();
}

std::unique_ptr<Work> MessageCommunicator::all_gather(at::Tensor full, at::Tensor shard) {
  start(CallChecker{size_, c10::DeviceType::CPU}.all_gather(full, shard, rank_));
  Bounds bounds;
  for (int r = 0; r <= size_; ++r) bounds.push_back(shard.numel() * r);
  auto* data = static_cast<char*>(full.mutable_data_ptr());
  char* own = data + rank_ * static_cast<int64_t>(shard.nbytes());
  const void* from = shard.const_data_ptr();
  if (own != from && shard.nbytes() > 0) std::memcpy(own, from, shard.nbytes());
  gather_slices(data, static_cast<int64_t>(full.element_size()), bounds);
  return std::make_unique<FinishedWork>();
}

std::unique_ptr<Work> MessageCommunicator::reduce_scatter(at::Tensor shard, at::Tensor full,
                                                          ReduceOp op) {
  start(CallChecker{size_, c10::DeviceType::CPU}.reduce_scatter(shard, full, op, rank_));
  Bounds bounds;
  for (int r = 0; r <= size_; ++r) bounds.push_back(shard.numel() * r);
  reduce_slices(full, bounds, shard.mutable_data_ptr(), shard.scalar_type(), op);
  return std::make_unique<FinishedWork>();
}

std::unique_ptr<Work> MessageCommunicator::broadcast(at::Tensor tensor, int root) {
  start(CallChecker{size_, c10::DeviceType::CPU}.broadcast(tensor, root));
  send_to_all(tensor.mutable_data_ptr(), static_cast<int64_t>(tensor.nbytes()), root);
  return std::make_unique<FinishedWork>();
}

std::vector<std::string> MessageCommunicator::all_gather_bytes(const std::string& bytes) {
  start({.operation = Operation::kAllGatherBytes, .bytes = static_cast<int64_t>(bytes.size())});
  std::vector<std::string> all;
  for (const CollectiveCall& call : calls_) all.emplace_back(static_cast<size_t>(call.bytes), '\0');
  all[static_cast<size_t>(rank_)] = bytes;
  std::string& own = all[static_cast<size_t>(rank_)];
  std::vector<Transfer> sends;
  std::vector<Transfer> receives;
  for (int r = 0; r < size_; ++r) {
    if (r == rank_) continue;
    std::string& theirs = all[static_cast<size_t>(r)];
    sends.push_back({r, own.data(), static_cast<int64_t>(own.size())});
    receives.push_back({r, theirs.data(), static_cast<int64_t>(theirs.size())});
  }
  exchange(sends, receives, kDataTag);
  return all;
}

std::string MessageCommunicator::broadcast_bytes(const std::string& bytes, int root) {
  start(CallChecker{size_, c10::DeviceType::CPU}.broadcast_bytes(bytes, root, rank_));
  std::string result = bytes;
  result.resize(static_cast<size_t>(calls_[static_cast<size_t>(root)].bytes));
  send_to_all(result.data(), static_cast<int64_t>(result.size()), root);
  return result;
}

int64_t MessageCommunicator::next_ticket() {
  if (rank_ == 0) return tickets_.take();
  const char request = 0;
  int64_t ticket = -1;
  const Stopwatch waited;
  MPI_Request reply = MPI_REQUEST_NULL;
  mpi_check(MPI_Irecv(&ticket, 1, MPI_INT64_T, 0, kReplyTag, ticket_comm_.get(), &reply),
            "MPI_Irecv");
  mpi_check(MPI_Send(&request, 1, MPI_CHAR, 0, kTicketTag, ticket_comm_.get()), "MPI_Send");
  for (int done = 0; done == 0;) {
    mpi_check(MPI_Test(&reply, &done, MPI_STATUS_IGNORE), "next_ticket");
    if (done != 0) break;
    if (waited.seconds() > timeout_s_) {
      MPI_Cancel(&reply);
      MPI_Request_free(&reply);
      throw CommError(concat("group ", group_, ": rank 0 gave no ticket to rank ", rank_,
                             " within ", timeout_s_, " s"));
    }
    std::this_thread::sleep_for(kNap);
  }
  return ticket;
}

void MessageCommunicator::reset_counter() {
  start({.operation = Operation::kResetCounter});
  if (rank_ == 0) tickets_.reset();
  barrier();
}

}  // namespace

std::unique_ptr<Communicator> make_message_communicator(MpiComm comm, std::string group,
                                                        double timeout_s) {
  return std::make_unique<MessageCommunicator>(std::move(comm), std::move(group), timeout_s);
}

}  // namespace xkde::dist
