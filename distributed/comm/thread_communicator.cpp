#include "distributed/comm/thread_communicator.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace xkde::dist {

/// The memory of a group and of those that were split from it.
class ThreadMemory {
 public:
  ThreadMemory(int size, const SegmentOptions& options) {
    const size_t bytes = SegmentCommunicator::memory_bytes(size, options.chunk_bytes);
    memory_.reset(std::aligned_alloc(kPage, bytes));
    XKDE_CHECK(memory_ != nullptr, MemoryError, "no ", bytes, " bytes for a thread group");
    SegmentCommunicator::format(memory_.get(), size);
  }

  void* get() const noexcept { return memory_.get(); }
  void add_child(std::shared_ptr<ThreadMemory> child) {
    const std::lock_guard lock(mutex_);
    children_.push_back(std::move(child));
  }
  std::vector<std::shared_ptr<ThreadMemory>> children() {
    const std::lock_guard lock(mutex_);
    return children_;
  }

 private:
  static constexpr size_t kPage = 4096;
  struct Free {
    void operator()(void* memory) const noexcept { std::free(memory); }
  };

  std::unique_ptr<void, Free> memory_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<ThreadMemory>> children_;
};

namespace {

class ThreadCommunicator final : public SegmentCommunicator {
 public:
  ThreadCommunicator(std::shared_ptr<ThreadMemory> memory, int size, int rank,
                     SegmentOptions options)
      : SegmentCommunicator(memory->get(), size, rank, std::move(options)),
        memory_(std::move(memory)) {}

  std::string backend() const override { return "thread"; }
  std::unique_ptr<Communicator> split(int color, const std::string& group) override;
  void abort(int exit_code) noexcept override { fail(*memory_, exit_code); }

 private:
  void fail(ThreadMemory& memory, int exit_code) noexcept {
    mark_failed(memory.get(), rank(), exit_code);
    for (const auto& child : memory.children()) fail(*child, exit_code);
  }

  std::shared_ptr<ThreadMemory> memory_;
};

/// A group's first rank makes its memory; the others get it by its address: all are one process.
std::unique_ptr<Communicator> ThreadCommunicator::split(int color, const std::string& group) {
  std::vector<int> members;
  const std::vector<std::string> colors = all_gather_bytes(std::to_string(color));
  for (int rank = 0; rank < size(); ++rank) {
    if (colors[static_cast<size_t>(rank)] == std::to_string(color)) members.push_back(rank);
  }
  SegmentOptions options = this->options();
  options.group = group;
  const auto group_size = static_cast<int>(members.size());
  std::shared_ptr<ThreadMemory> memory;
  if (rank() == members.front()) {
    memory = std::make_shared<ThreadMemory>(group_size, options);
    memory_->add_child(memory);
  }
  const auto address = reinterpret_cast<uintptr_t>(&memory);
  const std::vector<std::string> addresses = all_gather_bytes(std::to_string(address));
  if (!memory) {
    const std::string& first = addresses[static_cast<size_t>(members.front())];
    memory = *reinterpret_cast<const std::shared_ptr<ThreadMemory>*>(std::stoull(first));
  }
  barrier();  // until all have copied it
  const auto own = std::find(members.begin(), members.end(), rank()) - members.begin();
  auto comm = std::make_unique<ThreadCommunicator>(std::move(memory), group_size,
                                                   static_cast<int>(own), std::move(options));
  comm->share_note(*this);
  return comm;
}

int exit_code_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return static_cast<int>(known.exit_code());
  } catch (...) {
    return static_cast<int>(ExitCode::kInternal);
  }
}

}  // namespace

ThreadGroup::ThreadGroup(int size, SegmentOptions options)
    : size_(size), options_(std::move(options)) {
  XKDE_CHECK(size >= 1, InternalError, "a thread group of ", size, " ranks");
  memory_ = std::make_shared<ThreadMemory>(size, options_);
}

std::unique_ptr<Communicator> ThreadGroup::communicator(int rank) {
  return std::make_unique<ThreadCommunicator>(memory_, size_, rank, options_);
}

void run_ranks(int size, const std::function<void(Communicator&)>& run, SegmentOptions options) {
  ThreadGroup group(size, std::move(options));
  std::mutex mutex;
  std::exception_ptr first;
  const auto run_rank = [&](Communicator& comm) {
    try {
      run(comm);
    } catch (...) {
      // Noted before the others hear of it, so that what they throw comes later.
      const std::exception_ptr error = std::current_exception();
      {
        const std::lock_guard lock(mutex);
        if (!first) first = error;
      }
      comm.abort(exit_code_of(error));
    }
  };
  std::vector<std::unique_ptr<Communicator>> communicators;
  for (int rank = 0; rank < size; ++rank) communicators.push_back(group.communicator(rank));
  std::vector<std::jthread> threads;
  for (auto& comm : communicators) {
    threads.emplace_back([&run_rank, &comm] { run_rank(*comm); });
  }
  threads.clear();  // joins
  if (first) std::rethrow_exception(first);
}

}  // namespace xkde::dist
