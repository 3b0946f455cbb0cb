#ifndef XKDE_DISTRIBUTED_COMM_CALL_NOTE_H_
#define XKDE_DISTRIBUTED_COMM_CALL_NOTE_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace xkde::dist {

/// A text that one thread writes and any thread or process reads, at any time and without waiting.
/// Who reads it while it is written may see a mixture. Keeps 8 * kWords - 1 bytes.
template <size_t kWords>
class NotedText {
 public:
  void write(std::string_view text) noexcept {
    std::array<uint64_t, kWords> words{};
    std::memcpy(words.data(), text.data(), std::min(text.size(), sizeof(words) - 1));
    for (size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_relaxed);
  }
  std::string read() const {
    std::array<uint64_t, kWords> words{};
    for (size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_relaxed);
    const auto* text = reinterpret_cast<const char*>(words.data());
    return {text, strnlen(text, sizeof(words) - 1)};
  }

 private:
  std::array<std::atomic<uint64_t>, kWords> words_{};
};

/// Where a rank is: its newest collective, of whichever of its groups, and the step of the run.
/// Written by the rank's own thread, read by any.
class CallNote {
 public:
  struct Content {
    int64_t sequence = 0;  ///< of the call within its group; 0: none yet
    int32_t operation = 0;
    std::string phase;
    std::string group;
    std::string step;
  };

  void write(int32_t operation, int64_t sequence, std::string_view phase,
             std::string_view group) noexcept {
    phase_.write(phase);
    group_.write(group);
    operation_.store(operation, std::memory_order_relaxed);
    sequence_.store(sequence, std::memory_order_release);
  }
  void write_step(std::string_view step) noexcept { step_.write(step); }
  std::string step() const { return step_.read(); }
  Content read() const {
    const int64_t sequence = sequence_.load(std::memory_order_acquire);
    return {sequence, operation_.load(std::memory_order_relaxed), phase_.read(), group_.read(),
            step_.read()};
  }

 private:
  std::atomic<int64_t> sequence_{0};
  std::atomic<int32_t> operation_{0};
  NotedText<8> phase_;
  NotedText<4> group_;
  NotedText<8> step_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_CALL_NOTE_H_
