#ifndef XKDE_CORE_GENERATE_WORK_RECORDER_H_
#define XKDE_CORE_GENERATE_WORK_RECORDER_H_

#include <functional>
#include <memory>

namespace xkde {

/// What a device was told once, to be told again in one go.
class RecordedWork {
 public:
  virtual ~RecordedWork() = default;
  virtual void replay() = 0;  ///< on the current stream
};

/// Records the work that a function gives to a device: a CUDA graph. The function reads and writes
/// tensors whose places stay; it allocates nothing that outlives it, copies nothing from or to the
/// host and waits for nothing. It may be called any number of times while it is recorded, and none
/// while it is replayed.
class WorkRecorder {
 public:
  virtual ~WorkRecorder() = default;
  virtual std::unique_ptr<RecordedWork> record(const std::function<void()>& work) = 0;
};

}  // namespace xkde

#endif  // XKDE_CORE_GENERATE_WORK_RECORDER_H_
