#include "stages/serve/connection_pool.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"

namespace xkde::serve {
namespace {

constexpr std::chrono::milliseconds kEndLook{100};  // how often is_ending is looked at

}  // namespace

ConnectionPool::ConnectionPool(size_t threads, size_t most_waiting,
                               const std::atomic<bool>& is_ending)
    : most_waiting_(most_waiting), is_ending_(is_ending) {
  for (size_t i = 0; i < threads; ++i) {
    try {
      threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
      if (threads_.empty()) throw;
      log::warning(concat("serve: expected ", threads, " threads for connections, found that the ",
                          "system gives no more than ", threads_.size()));
      return;
    }
  }
}

void ConnectionPool::enqueue(std::function<void()> connection) {
  std::unique_lock lock(mutex_);
  const auto has_room = [&] { return waiting_.size() < most_waiting_ || is_ending_; };
  while (!went_.wait_for(lock, kEndLook, has_room)) continue;
  waiting_.push_back(std::move(connection));
  came_.notify_one();
}

void ConnectionPool::shutdown() {
  {
    const std::lock_guard lock(mutex_);
    is_shut_ = true;
  }
  came_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ConnectionPool::serve() {
  while (true) {
    std::function<void()> connection;
    {
      std::unique_lock lock(mutex_);
      came_.wait(lock, [&] { return !waiting_.empty() || is_shut_; });
      if (waiting_.empty()) return;
      connection = std::move(waiting_.front());
      waiting_.pop_front();
    }
    went_.notify_one();
    connection();
  }
}

}  // namespace xkde::serve
