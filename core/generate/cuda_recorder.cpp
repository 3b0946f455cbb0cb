#include "core/generate/cuda_recorder.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace xkde {
namespace {

class CudaGraphWork final : public RecordedWork {
 public:
  /// Runs the work once on a stream of its own, so that libraries make their workspaces, and then
  /// captures it there. Only this thread's calls belong to the capture: NCCL's watchdog goes on.
  explicit CudaGraphWork(const std::function<void()>& work) {
    const c10::cuda::CUDAStream before = c10::cuda::getCurrentCUDAStream();
    const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
    before.synchronize();
    const c10::cuda::CUDAStreamGuard guard(stream);
    work();
    stream.synchronize();
    graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    work();
    graph_.capture_end();
  }

  void replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

class CudaGraphRecorder final : public WorkRecorder {
 public:
  std::unique_ptr<RecordedWork> record(const std::function<void()>& work) override {
    return std::make_unique<CudaGraphWork>(work);
  }
};

}  // namespace

std::unique_ptr<WorkRecorder> make_work_recorder(at::Device device) {
  if (!device.is_cuda()) return nullptr;
  return std::make_unique<CudaGraphRecorder>();
}

}  // namespace xkde
