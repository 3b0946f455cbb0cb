#include "distributed/comm/arrival_board.h"

#include <atomic>
#include <new>

#include "core/base/error.h"
#include "core/base/host_name.h"
#include "distributed/comm/call_note.h"
#include "distributed/comm/typed_gather.h"

namespace xkde::dist {
namespace {

/// Equal for the processes that can share memory. Names of hosts alone may repeat in a cluster.
std::string host_id() { return host_name() + " " + boot_id(); }

}  // namespace

// Written by its rank alone, on cache lines of its own.
struct ArrivalBoard::Slot {
  alignas(128) std::atomic<int64_t> sequence{0};
  std::atomic<Operation> operation{Operation::kBarrier};
  NotedText<8> phase;
};

ArrivalBoard::Slot& ArrivalBoard::slot(size_t place) const noexcept {
  return static_cast<Slot*>(memory_.get())[place];
}

ArrivalBoard::ArrivalBoard(Communicator& group) : size_(group.size()) {
  static_assert(std::atomic<uint64_t>::is_always_lock_free, "processes share these words");
  const std::string host = host_id();
  const std::vector<std::string> hosts = gather(group, host);
  for (int rank = 0; rank < size_; ++rank) {
    if (hosts[static_cast<size_t>(rank)] != host) continue;
    if (rank == group.rank()) own_ = ranks_.size();
    ranks_.push_back(rank);
  }
  const size_t bytes = ranks_.size() * sizeof(Slot);
  const bool alone = ranks_.size() == 1;
  std::string name = own_ == 0 && !alone ? SharedMemory::random_name() : std::string();
  int error = 0;
  if (own_ == 0) error = alone ? memory_.create_private(bytes) : memory_.create(name, bytes);
  for (size_t place = 0; own_ == 0 && error == 0 && place < ranks_.size(); ++place) {
    new (&slot(place)) Slot;
  }
  const std::vector<std::string> names = gather(group, name);
  name = names[static_cast<size_t>(ranks_.front())];
  if (own_ != 0) error = memory_.open(name, bytes);
  const std::vector<int> errors = gather(group, error);
  if (own_ == 0 && !alone) SharedMemory::forget(name);
  for (size_t rank = 0; rank < errors.size(); ++rank) {
    XKDE_CHECK(errors[rank] == 0, IoError, "rank ", rank, ": ",
               SharedMemory::describe(bytes, errors[rank]));
  }
}

void ArrivalBoard::arrive(const CollectiveCall& call, std::string_view phase) noexcept {
  Slot& own = slot(own_);
  own.phase.write(phase);
  own.operation.store(call.operation, std::memory_order_relaxed);
  own.sequence.store(call.sequence, std::memory_order_release);
}

std::string ArrivalBoard::missing(const CollectiveCall& call) const {
  std::string text;
  for (size_t place = 0; place < ranks_.size(); ++place) {
    const Slot& other = slot(place);
    CollectiveCall theirs;
    theirs.sequence = other.sequence.load(std::memory_order_acquire);
    theirs.operation = other.operation.load(std::memory_order_relaxed);
    const std::string at = title(theirs, other.phase.read());
    const std::string rank = concat(text.empty() ? "" : "; ", "rank ", ranks_[place]);
    if (theirs.sequence == 0) {
      text += rank + " did not arrive: it has made no call yet";
    } else if (theirs.sequence < call.sequence) {
      text += rank + " did not arrive: it is at " + at;
    } else if (theirs.sequence == call.sequence && theirs.operation != call.operation) {
      text += rank + " called " + at + " instead";
    }
  }
  if (!text.empty()) return text;
  if (ranks_.size() == static_cast<size_t>(size_)) {
    return concat("all ", size_, " ranks arrived, but the GPUs do not go on");
  }
  return concat("all ", ranks_.size(), " ranks of this host arrived; who is missing is among the ",
                static_cast<size_t>(size_) - ranks_.size(), " ranks on other hosts");
}

}  // namespace xkde::dist
