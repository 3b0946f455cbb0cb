#include "distributed/comm/shared_segment.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <thread>

#include <sched.h>

#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "core/trace/trace_spans.h"
#include "distributed/comm/cpu_reduce.h"

namespace xkde::dist {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kLine = 128;  // two cache lines: the prefetcher fetches them in pairs
// Up to here one phase of an all-reduce costs less than the two that share the additions.
constexpr int64_t kWholeBytes = int64_t{64} << 10;
constexpr int kSpins = 2000;
constexpr int kYields = 100;
constexpr auto kPause = std::chrono::microseconds(50);

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

char* at_offset(void* memory, int64_t offset) { return static_cast<char*>(memory) + offset; }

void pause_cpu() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

void copy(void* to, const void* from, int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
}

// Spinning for a rank that waits for this very core only delays it.
int spins_for(int size) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  const bool known = sched_getaffinity(0, sizeof(cores), &cores) == 0;
  return known && size <= CPU_COUNT(&cores) ? kSpins : 0;
}

}  // namespace

// Written by any rank at any time: each word is atomic and has a line of its own.
struct SegmentCommunicator::Header {
  alignas(kLine) std::atomic<int32_t> failed_rank{-1};
  std::atomic<int32_t> exit_code{0};
  alignas(kLine) std::atomic<int64_t> ticket{0};
};

// Written by its rank alone. The call of phase p lies in calls[p % 2], as the buffers do.
struct SegmentCommunicator::Slot {
  alignas(kLine) std::atomic<uint64_t> phase{0};
  std::array<CollectiveCall, 2> calls;
};

struct SegmentCommunicator::Chunk {
  char* data;
  at::ScalarType dtype;
  int64_t item_bytes;
  int64_t numel;
};

static_assert(std::atomic<uint64_t>::is_always_lock_free, "processes share these words");
static_assert(std::atomic<int32_t>::is_always_lock_free, "processes share these words");

size_t SegmentCommunicator::memory_bytes(int size, int64_t chunk_bytes) {
  const auto words =
      static_cast<int64_t>(sizeof(Header)) + size * static_cast<int64_t>(sizeof(Slot));
  return static_cast<size_t>(round_up(words, kPage) + size * 2 * round_up(chunk_bytes, kPage));
}

int64_t SegmentCommunicator::smallest_chunk(int size) noexcept {
  return round_up(int64_t{64} * size, kPage);
}

void SegmentCommunicator::format(void* memory, int size) {
  new (memory) Header;
  for (int r = 0; r < size; ++r) {
    new (at_offset(
        memory, static_cast<int64_t>(sizeof(Header) + static_cast<size_t>(r) * sizeof(Slot)))) Slot;
  }
}

SegmentCommunicator::SegmentCommunicator(void* memory, int size, int rank, SegmentOptions options)
    : memory_(memory),
      size_(size),
      rank_(rank),
      options_(std::move(options)),
      buffer_bytes_(round_up(options_.chunk_bytes, kPage)),
      spins_(spins_for(size)) {
  XKDE_CHECK(size >= 1 && rank >= 0 && rank < size, InternalError, "group ", options_.group,
             ": rank ", rank, " of ", size);
  XKDE_CHECK(options_.chunk_bytes >= 64 * size, InternalError, "group ", options_.group,
             ": chunk_bytes: expected at least ", 64 * size, ", found ", options_.chunk_bytes);
}

SegmentCommunicator::Header& SegmentCommunicator::header() const noexcept {
  return *static_cast<Header*>(memory_);
}

SegmentCommunicator::Slot& SegmentCommunicator::slot(int rank) const noexcept {
  return reinterpret_cast<Slot*>(at_offset(memory_, sizeof(Header)))[rank];
}

char* SegmentCommunicator::buffer(int rank) const noexcept {
  const auto words =
      static_cast<int64_t>(sizeof(Header)) + size_ * static_cast<int64_t>(sizeof(Slot));
  const int64_t index = 2 * rank + static_cast<int64_t>(phase_ % 2);
  return at_offset(memory_, round_up(words, kPage) + index * buffer_bytes_);
}

bool SegmentCommunicator::arrived(int rank) const noexcept {
  return slot(rank).phase.load(std::memory_order_acquire) >= phase_;
}

void SegmentCommunicator::start(CollectiveCall call) {
  call.sequence = ++sequence_;
  call_ = call;
  note()->write(static_cast<int32_t>(call.operation), call.sequence, phase(), options_.group);
  check_alive();
  next_phase();
  slot(rank_).calls[phase_ % 2] = call_;
  compared_ = false;
}

void SegmentCommunicator::arrive() {
  slot(rank_).phase.store(phase_, std::memory_order_release);
  for (int r = 0; r < size_; ++r) await(r);
  if (!compared_) compare_calls();
}

void SegmentCommunicator::await(int rank) {
  for (int i = 0; i < spins_; ++i) {
    if (arrived(rank)) return;
    pause_cpu();
  }
  const TraceSpan span(TraceLane::kWait);
  const Stopwatch waited;
  for (int i = 0; !arrived(rank); ++i) {
    check_alive();
    if (waited.seconds() > options_.timeout_s) give_up();
    if (i < kYields) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kPause);
    }
  }
}

void SegmentCommunicator::compare_calls() {
  std::vector<CollectiveCall> calls;
  calls.reserve(static_cast<size_t>(size_));
  for (int r = 0; r < size_; ++r) calls.push_back(slot(r).calls[phase_ % 2]);
  try {
    check_agreement(options_.group, calls);
  } catch (const CommError& error) {
    // Every rank sees the same calls, so each of them stops here with the same words.
    failure_ = error.what();
    throw;
  }
  compared_ = true;
}

void SegmentCommunicator::check_alive() {
  XKDE_CHECK(failure_.empty(), CommError, failure_);
  const int failed = header().failed_rank.load(std::memory_order_acquire);
  if (failed < 0) return;
  const std::string missing = missing_ranks();
  failure_ =
      concat("group ", options_.group, ": rank ", failed, " failed with exit code ",
             header().exit_code.load(), ", seen by rank ", rank_, " at ", title(call_, place()));
  if (!missing.empty()) failure_ += concat(", where rank ", missing, " did not arrive");
  throw CommError(failure_);
}

std::string SegmentCommunicator::missing_ranks() const {
  std::string missing;
  for (int r = 0; r < size_; ++r) {
    if (!arrived(r)) missing += concat(missing.empty() ? "" : ", ", r);
  }
  return missing;
}

void SegmentCommunicator::give_up() {
  failure_ = concat("group ", options_.group, ": rank ", missing_ranks(), " did not arrive at ",
                    title(call_, place()), " within ", options_.timeout_s, " s");
  mark_failed(memory_, rank_, static_cast<int>(ExitCode::kPeerLost));
  throw CommError(failure_);
}

void SegmentCommunicator::mark_failed(void* memory, int rank, int exit_code) noexcept {
  // The code first: who sees the rank must find it. A second failure changes nothing.
  Header& header = *static_cast<Header*>(memory);
  if (header.failed_rank.load() >= 0) return;
  header.exit_code.store(exit_code);
  int32_t none = -1;
  header.failed_rank.compare_exchange_strong(none, rank, std::memory_order_release);
}

int64_t SegmentCommunicator::bytes_of(int rank) const noexcept {
  return slot(rank).calls[phase_ % 2].bytes;
}

void SegmentCommunicator::barrier() {
  start({.operation = Operation::kBarrier});
  arrive();
}

std::unique_ptr<Work> SegmentCommunicator::all_gather(at::Tensor full, at::Tensor shard) {
  start(CallChecker{size_, c10::DeviceType::CPU}.all_gather(full, shard, rank_));
  const auto bytes = static_cast<int64_t>(shard.nbytes());
  const auto* from = static_cast<const char*>(shard.const_data_ptr());
  auto* to = static_cast<char*>(full.mutable_data_ptr());
  for (int64_t offset = 0; offset == 0 || offset < bytes; offset += buffer_bytes_) {
    if (offset > 0) next_phase();
    const int64_t length = std::min(buffer_bytes_, bytes - offset);
    if (size_ > 1) copy(buffer(rank_), from + offset, length);
    char* own = to + rank_ * bytes + offset;
    if (own != from + offset) copy(own, from + offset, length);
    arrive();
    for (int r = 0; r < size_; ++r) {
      if (r != rank_) copy(to + r * bytes + offset, buffer(r), length);
    }
  }
  return std::make_unique<FinishedWork>();
}

std::unique_ptr<Work> SegmentCommunicator::reduce_scatter(at::Tensor shard, at::Tensor full,
                                                          ReduceOp op) {
  start(CallChecker{size_, c10::DeviceType::CPU}.reduce_scatter(shard, full, op, rank_));
  const auto item = static_cast<int64_t>(full.element_size());
  const int64_t section = buffer_bytes_ / size_ / 64 * 64;  // of one reader, in each buffer
  const int64_t chunk = section / item;
  const auto* from = static_cast<const char*>(full.const_data_ptr());
  auto* to = static_cast<char*>(shard.mutable_data_ptr());
  std::vector<const void*> inputs(static_cast<size_t>(size_));
  for (int64_t offset = 0; offset == 0 || offset < shard.numel(); offset += chunk) {
    if (offset > 0) next_phase();
    const int64_t count = std::min(chunk, shard.numel() - offset);
    const auto slice = [&](int r) { return from + (r * shard.numel() + offset) * item; };
    for (int r = 0; r < size_; ++r) {
      if (r != rank_) copy(buffer(rank_) + r * section, slice(r), count * item);
    }
    arrive();
    for (int r = 0; r < size_; ++r) {
      inputs[static_cast<size_t>(r)] = r == rank_ ? slice(r) : buffer(r) + rank_ * section;
    }
    reduce_in_order(to + offset * static_cast<int64_t>(shard.element_size()), shard.scalar_type(),
                    inputs, full.scalar_type(), count, op);
  }
  return std::make_unique<FinishedWork>();
}

std::unique_ptr<Work> SegmentCommunicator::all_reduce(at::Tensor tensor, ReduceOp op) {
  start(CallChecker{size_, c10::DeviceType::CPU}.all_reduce(tensor, op));
  const auto item = static_cast<int64_t>(tensor.element_size());
  const bool whole = static_cast<int64_t>(tensor.nbytes()) <= std::min(kWholeBytes, buffer_bytes_);
  auto* data = static_cast<char*>(tensor.mutable_data_ptr());
  const int64_t step = buffer_bytes_ / item;
  for (int64_t offset = 0; offset == 0 || offset < tensor.numel(); offset += step) {
    if (offset > 0) next_phase();
    const Chunk chunk{data + offset * item, tensor.scalar_type(), item,
                      std::min(step, tensor.numel() - offset)};
    if (whole) {
      reduce_whole(chunk, op);
    } else {
      reduce_by_slices(chunk, op);
    }
  }
  return std::make_unique<FinishedWork>();
}

void SegmentCommunicator::reduce_whole(const Chunk& chunk, ReduceOp op) {
  copy(buffer(rank_), chunk.data, chunk.numel * chunk.item_bytes);
  arrive();
  std::vector<const void*> inputs;
  for (int r = 0; r < size_; ++r) inputs.push_back(r == rank_ ? chunk.data : buffer(r));
  reduce_in_order(chunk.data, chunk.dtype, inputs, chunk.dtype, chunk.numel, op);
}

void SegmentCommunicator::reduce_by_slices(const Chunk& chunk, ReduceOp op) {
  const auto begin = [&](int r) { return chunk.numel * r / size_ * chunk.item_bytes; };
  const auto bytes = [&](int r) { return begin(r + 1) - begin(r); };
  for (int r = 0; r < size_; ++r) {
    if (r != rank_) copy(buffer(rank_) + begin(r), chunk.data + begin(r), bytes(r));
  }
  arrive();
  char* own = chunk.data + begin(rank_);
  std::vector<const void*> inputs;
  for (int r = 0; r < size_; ++r) inputs.push_back(r == rank_ ? own : buffer(r) + begin(rank_));
  reduce_in_order(own, chunk.dtype, inputs, chunk.dtype, bytes(rank_) / chunk.item_bytes, op);
  next_phase();
  copy(buffer(rank_), own, bytes(rank_));
  arrive();
  for (int r = 0; r < size_; ++r) {
    if (r != rank_) copy(chunk.data + begin(r), buffer(r), bytes(r));
  }
}

std::unique_ptr<Work> SegmentCommunicator::broadcast(at::Tensor tensor, int root) {
  start(CallChecker{size_, c10::DeviceType::CPU}.broadcast(tensor, root));
  const auto bytes = static_cast<int64_t>(tensor.nbytes());
  auto* data = static_cast<char*>(tensor.mutable_data_ptr());
  for (int64_t offset = 0; offset == 0 || offset < bytes; offset += buffer_bytes_) {
    if (offset > 0) next_phase();
    const int64_t length = std::min(buffer_bytes_, bytes - offset);
    if (rank_ == root && size_ > 1) copy(buffer(root), data + offset, length);
    arrive();
    if (rank_ != root) copy(data + offset, buffer(root), length);
  }
  return std::make_unique<FinishedWork>();
}

std::vector<std::string> SegmentCommunicator::all_gather_bytes(const std::string& bytes) {
  const auto own = static_cast<int64_t>(bytes.size());
  start({.operation = Operation::kAllGatherBytes, .bytes = own});
  std::vector<int64_t> lengths;
  std::vector<std::string> all(static_cast<size_t>(size_));
  int64_t longest = own;
  for (int64_t offset = 0; offset == 0 || offset < longest; offset += buffer_bytes_) {
    if (offset > 0) next_phase();
    if (offset < own) {
      copy(buffer(rank_), bytes.data() + offset, std::min(buffer_bytes_, own - offset));
    }
    arrive();
    if (offset == 0) {
      for (int r = 0; r < size_; ++r) lengths.push_back(bytes_of(r));
      longest = *std::max_element(lengths.begin(), lengths.end());
    }
    for (size_t r = 0; r < all.size(); ++r) {
      const int64_t length = std::min(buffer_bytes_, lengths[r] - offset);
      if (length > 0) all[r].append(buffer(static_cast<int>(r)), static_cast<size_t>(length));
    }
  }
  return all;
}

std::string SegmentCommunicator::broadcast_bytes(const std::string& bytes, int root) {
  start(CallChecker{size_, c10::DeviceType::CPU}.broadcast_bytes(bytes, root, rank_));
  std::string result;
  int64_t total = static_cast<int64_t>(bytes.size());
  for (int64_t offset = 0; offset == 0 || offset < total; offset += buffer_bytes_) {
    if (offset > 0) next_phase();
    if (rank_ == root)
      copy(buffer(root), bytes.data() + offset, std::min(buffer_bytes_, total - offset));
    arrive();
    if (offset == 0) total = bytes_of(root);
    const int64_t length = std::min(buffer_bytes_, total - offset);
    result.append(buffer(root), static_cast<size_t>(length));
  }
  return result;
}

int64_t SegmentCommunicator::next_ticket() { return header().ticket.fetch_add(1); }

void SegmentCommunicator::reset_counter() {
  start({.operation = Operation::kResetCounter});
  arrive();
  if (rank_ == 0) header().ticket.store(0);
  next_phase();
  arrive();
}

}  // namespace xkde::dist
