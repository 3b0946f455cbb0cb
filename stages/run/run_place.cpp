#include "stages/run/run_place.h"

#include <algorithm>

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/base/host_name.h"
#include "core/nn/device_memory.h"
#include "core/optim/optimizer_kind.h"
#include "distributed/comm/typed_gather.h"
#include "distributed/planner/machine_presets.h"

namespace xkde::recipe {
namespace {

constexpr int64_t kProcessBytes = 400'000'000;  // mostly the pages of LibTorch
constexpr int64_t kGpuProcessBytes = 4'000'000'000;
// Of a GPU's memory, what its context, NCCL and fragments take.
constexpr double kUsableShare = 0.97;
constexpr int64_t kContextBytes = 1'500'000'000;

int64_t usable_gpu_bytes(double total) {
  return static_cast<int64_t>(kUsableShare * total) - kContextBytes;
}

}  // namespace

at::ScalarType scalar_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32:
      return at::kFloat;
    case Dtype::kBFloat16:
      return at::kBFloat16;
  }
  throw InternalError("dtype: unknown");
}

RunPlace this_place(int ranks, int ranks_on_host, at::Device device, at::ScalarType compute_dtype) {
  RunPlace place{.ranks = ranks, .ranks_on_host = ranks_on_host, .device = device};
  place.threads = at::get_num_threads();
  if (device.is_cpu()) {
    place.bytes = device_bytes(device) / ranks_on_host - kProcessBytes;
    place.machine = dist::cpu_constants(compute_dtype, place.threads);
    return place;
  }
  const auto total = static_cast<double>(device_bytes(device));
  const int sharing = std::max(1, ranks_on_host / at::accelerator::deviceCount());
  const dist::MachinePreset preset = dist::machine_preset_with(total);
  place.bytes = usable_gpu_bytes(total) / sharing;
  place.machine = preset.machine;
  if (compute_dtype == at::kFloat) place.machine.matmul_flops *= dist::kFloatShare;
  return place;
}

RunPlace preset_place(int ranks, const std::string& name, at::ScalarType compute_dtype) {
  const dist::MachinePreset preset = dist::machine_preset(name);
  RunPlace place{.ranks = ranks, .device = at::kCUDA};
  place.ranks_on_host = std::min(ranks, preset.machine.link.ranks_per_node);
  place.bytes = usable_gpu_bytes(preset.device_bytes);
  place.machine = preset.machine;
  if (compute_dtype == at::kFloat) place.machine.matmul_flops *= dist::kFloatShare;
  return place;
}

int64_t process_bytes(at::Device device) {
  return device.is_cpu() ? kProcessBytes : kGpuProcessBytes;
}

std::vector<std::string> hosts_of_ranks(dist::Communicator& comm) {
  return dist::gather(comm, host_name());
}

int count_ranks_here(dist::Communicator& comm) {
  const std::vector<std::string> hosts = hosts_of_ranks(comm);
  return static_cast<int>(
      std::count(hosts.begin(), hosts.end(), hosts[static_cast<size_t>(comm.rank())]));
}

dist::EngineOptions engine_options(const Recipe& recipe, int ranks, at::Device device) {
  const ParallelSection& parallel = recipe.parallel;
  XKDE_CHECK(ranks % parallel.replicate == 0, ConfigError,
             recipe.origin.place_of("parallel.replicate"),
             ": parallel.replicate: expected a divisor of the ", ranks, " ranks, found ",
             parallel.replicate);
  dist::EngineOptions options;
  options.compute_dtype = scalar_type(recipe.model.dtype);
  options.device = device;
  options.replicate = static_cast<int>(parallel.replicate);
  options.shard = parallel.shard.value_or(options.shard);
  options.recompute = parallel.recompute.value_or(options.recompute);
  options.prefetch = parallel.prefetch >= 0 ? parallel.prefetch : (device.is_cuda() ? 1 : 0);
  options.grad_reduce_dtype = scalar_type(parallel.grad_reduce_dtype);
  options.offload_optimizer = parallel.offload_optimizer;
  for (const StagePtr& stage : recipe.stages) {
    const OptimizerKind optimizer = stage->optimizer();
    options.shard_align = std::max(options.shard_align, entry_of(optimizer).block);
    // Who wants it lacks memory. From a host's masters, casting again would be copying again.
    if (optimizer == OptimizerKind::kAdamW8bit) options.frees_weights = !parallel.offload_optimizer;
  }
  return options;
}

}  // namespace xkde::recipe
