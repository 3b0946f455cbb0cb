#ifndef XKDE_STAGES_SERVE_ANSWER_QUEUE_H_
#define XKDE_STAGES_SERVE_ANSWER_QUEUE_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "stages/ask/answerer.h"

namespace xkde::serve {

/// Takes an answer from the thread that makes it to the thread that sends it. Thread-safe.
class AnswerStream {
 public:
  // For who makes the answer; never waits.
  /// False: nobody reads any more.
  bool put(std::string_view piece);
  void end(ask::Answer answer);
  void fail(std::string why);

  // For who sends it.
  struct State {
    std::string text;                    ///< new pieces, joined
    std::optional<ask::Answer> answer;   ///< at the end
    std::optional<std::string> failure;  ///< where it ended otherwise
  };
  /// What is new; nothing of it where nothing came within `patience`.
  State next(std::chrono::milliseconds patience);
  void cancel();
  bool is_cancelled() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  State state_;
  bool is_cancelled_ = false;
};

/// A prompt that waits for its answer.
struct AnswerJob {
  ask::Prompt prompt;
  ask::AnswerOptions options;
  AnswerStream stream;
};

/// Jobs in the order in which they came, no more than a number of them. Thread-safe.
class AnswerQueue {
 public:
  explicit AnswerQueue(size_t most) : most_(most) {}

  /// False: it is full, or closed.
  bool offer(std::shared_ptr<AnswerJob> job);
  /// The next one that somebody waits for; null where none came within `patience`.
  std::shared_ptr<AnswerJob> take(std::chrono::milliseconds patience);
  /// Takes no more, and fails those that wait.
  void close();

 private:
  const size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<AnswerJob>> jobs_;
  bool is_closed_ = false;
};

}  // namespace xkde::serve

#endif  // XKDE_STAGES_SERVE_ANSWER_QUEUE_H_
