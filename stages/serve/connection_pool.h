#ifndef XKDE_STAGES_SERVE_CONNECTION_POOL_H_
#define XKDE_STAGES_SERVE_CONNECTION_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <httplib.h>

namespace xkde::serve {

/// Threads that serve a connection each, fewer where the system gives no more. Where too many
/// connections wait, no more are accepted: the system keeps them, or its clients try again.
class ConnectionPool final : public httplib::TaskQueue {
 public:
  /// `is_ending`: whether nothing must be waited for any more; outlives the pool.
  ConnectionPool(size_t threads, size_t most_waiting, const std::atomic<bool>& is_ending);
  void enqueue(std::function<void()> connection) override;
  void shutdown() override;

 private:
  void serve();

  const size_t most_waiting_;
  const std::atomic<bool>& is_ending_;
  std::mutex mutex_;
  std::condition_variable came_, went_;
  std::deque<std::function<void()>> waiting_;
  bool is_shut_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace xkde::serve

#endif  // XKDE_STAGES_SERVE_CONNECTION_POOL_H_
