#ifndef XKDE_DISTRIBUTED_CHECKPOINT_ASYNC_CHECKPOINTER_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_ASYNC_CHECKPOINTER_H_

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/io/pace.h"
#include "core/io/page_buffer.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/save.h"
#include "distributed/comm/communicator.h"

namespace xkde::dist {

/// save_checkpoint() beside the next steps: a thread of low priority copies the state, which a
/// forward and a backward pass leave as it is, then writes the copy, and another on rank 0 makes it
/// a checkpoint. These threads never communicate: the
/// ranks must tell each other when all are done, and call poll(). Errors of the threads are thrown
/// by the next poll(), finish() or save(), as save_checkpoint() throws them: on every rank, with
/// the old checkpoint intact. One save runs at a time. Calls are collective over `world` unless
/// they say otherwise.
class AsyncCheckpointer {
 public:
  /// Allocates a second copy of the state, in host memory: `states` are its names, as in a
  /// StateView. `layout` and `world` outlive the object.
  /// `share`: of a processor's time that writing may take while nobody waits for it. Not
  /// collective.
  AsyncCheckpointer(std::filesystem::path root, const ShardLayout& layout,
                    const std::vector<std::string>& states, Communicator& world,
                    double share = 1.0);
  /// Breaks off a running save, of which no more than a temporary folder stays. Not collective.
  ~AsyncCheckpointer();
  AsyncCheckpointer(const AsyncCheckpointer&) = delete;
  AsyncCheckpointer& operator=(const AsyncCheckpointer&) = delete;

  /// Finishes an earlier save, then starts this one: `copy_into(buffers)` fills this rank's buffers
  /// on the thread. What it reads must not change before wait_for_copy() has returned.
  void save(std::function<void(const StateView&)> copy_into, CheckpointInfo info);
  /// Waits until the copy is made. Not collective; no effect without a save.
  void wait_for_copy();
  /// Whether a thread of this rank is at work. Not collective; takes no time.
  bool is_writing() const;
  /// Goes on with a save when no rank is at work: `anyone_writing` is whether is_writing() holds on
  /// any rank, and must be the same on all. Never waits for a disk.
  void poll(bool anyone_writing);
  /// Waits until the last save is a durable checkpoint. No effect when it is.
  void finish();

 private:
  enum class Stage { kIdle, kWriting, kCompleting };
  void run_at_low_priority(std::function<WrittenShard()> work);
  void advance();

  std::filesystem::path root_;
  const ShardLayout& layout_;
  Communicator& world_;
  std::vector<PageBuffer> memory_;  ///< of buffers_, by state
  StateView buffers_;
  Pace pace_;
  std::unique_ptr<CheckpointSave> save_;
  Stage stage_ = Stage::kIdle;
  std::stop_source stop_;
  std::future<void> copied_;
  std::future<WrittenShard> thread_;  // last: its end is waited for first
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_ASYNC_CHECKPOINTER_H_
