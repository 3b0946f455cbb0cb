#include "distributed/thread_communicator.h"

#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace xkde::dist {
namespace {

constexpr size_t kPage = 4096;

class ThreadCommunicator final : public SegmentCommunicator {
 public:
  using SegmentCommunicator::SegmentCommunicator;
  std::string backend() const override { return "thread"; }
  void abort(int exit_code) noexcept override { mark_failed(exit_code); }
};

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

void ThreadGroup::FreeMemory::operator()(void* memory) const noexcept { std::free(memory); }

ThreadGroup::ThreadGroup(int size, SegmentOptions options)
    : size_(size), options_(std::move(options)) {
  XKDE_CHECK(size >= 1, InternalError, "a thread group of ", size, " ranks");
  const size_t bytes = SegmentCommunicator::memory_bytes(size, options_.chunk_bytes);
  memory_.reset(std::aligned_alloc(kPage, bytes));
  XKDE_CHECK(memory_ != nullptr, MemoryError, "no ", bytes, " bytes for a thread group");
  SegmentCommunicator::format(memory_.get(), size);
}

std::unique_ptr<Communicator> ThreadGroup::communicator(int rank) {
  return std::make_unique<ThreadCommunicator>(memory_.get(), size_, rank, options_);
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
