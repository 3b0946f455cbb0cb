#include "stages/serve/answer_queue.h"

#include <algorithm>
#include <utility>

namespace xkde::serve {

bool AnswerStream::put(std::string_view piece) {
  const std::lock_guard lock(mutex_);
  state_.text += piece;
  if (!piece.empty()) changed_.notify_one();
  return !is_cancelled_;
}

void AnswerStream::end(ask::Answer answer) {
  const std::lock_guard lock(mutex_);
  state_.answer = std::move(answer);
  changed_.notify_one();
}

void AnswerStream::fail(std::string why) {
  const std::lock_guard lock(mutex_);
  state_.failure = std::move(why);
  changed_.notify_one();
}

AnswerStream::State AnswerStream::next(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience,
                    [&] { return !state_.text.empty() || state_.answer || state_.failure; });
  return std::exchange(state_, {});
}

void AnswerStream::cancel() {
  const std::lock_guard lock(mutex_);
  is_cancelled_ = true;
}

bool AnswerStream::is_cancelled() const {
  const std::lock_guard lock(mutex_);
  return is_cancelled_;
}

bool AnswerQueue::offer(std::shared_ptr<AnswerJob> job) {
  const std::lock_guard lock(mutex_);
  // A client that hung up keeps nobody else out.
  std::erase_if(jobs_, [](const auto& waiting) { return waiting->stream.is_cancelled(); });
  if (is_closed_ || jobs_.size() >= most_) return false;
  jobs_.push_back(std::move(job));
  changed_.notify_one();
  return true;
}

std::shared_ptr<AnswerJob> AnswerQueue::take(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return !jobs_.empty(); });
  while (!jobs_.empty()) {
    std::shared_ptr<AnswerJob> job = std::move(jobs_.front());
    jobs_.pop_front();
    if (!job->stream.is_cancelled()) return job;
  }
  return nullptr;
}

void AnswerQueue::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  for (const auto& job : jobs_) job->stream.fail("the server ends");
  jobs_.clear();
}

}  // namespace xkde::serve
