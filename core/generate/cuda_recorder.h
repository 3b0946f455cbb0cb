#ifndef XKDE_CORE_GENERATE_CUDA_RECORDER_H_
#define XKDE_CORE_GENERATE_CUDA_RECORDER_H_

#include <memory>

#include <c10/core/Device.h>

#include "core/generate/work_recorder.h"

namespace xkde {

/// Records work for a GPU as CUDA graphs. Null for a CPU, and in a program that was built without
/// LibTorch's CUDA libraries (XKDE_CUDA). Source: CUDA C++ Programming Guide, CUDA Graphs.
std::unique_ptr<WorkRecorder> make_work_recorder(at::Device device);

}  // namespace xkde

#endif  // XKDE_CORE_GENERATE_CUDA_RECORDER_H_
