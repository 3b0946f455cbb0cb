#include "distributed/planner/machine_presets.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/nn/device_memory.h"

namespace xkde::dist {
namespace {

// Bandwidths of the sheets that collectives reach.
constexpr double kReached = 0.92;
constexpr double kSustained = 0.6;
constexpr int kGpusPerNode = 8;

LinkConstants nccl_link(double nvlink_bytes_per_s, double node_bytes_per_s) {
  return {.start_s = 8.4e-6,
          .hop_s = 3.4e-6,
          .node_hop_s = 14e-6,
          .bytes_per_s = kReached * nvlink_bytes_per_s,
          .node_bytes_per_s = kReached * node_bytes_per_s,
          .ranks_per_node = kGpusPerNode};
}

MachinePreset gpu(std::string name, double peak_flops, double device_bytes, double memory,
                  const LinkConstants& link) {
  MachineConstants machine;
  machine.matmul_flops = kSustained * peak_flops;
  machine.attention_share = 0.6;
  machine.elementwise_bytes_per_s = 0.9 * memory;
  machine.memory_bytes_per_s = 0.9 * memory;
  machine.operation_s = 5e-6;
  machine.overlaps = true;
  machine.link = link;
  return {std::move(name), peak_flops, device_bytes, machine};
}

}  // namespace

std::vector<std::string> machine_preset_names() {
  return {"h100", "h100_one_nic", "h200", "a100_40"};
}

MachinePreset machine_preset(const std::string& name) {
  const LinkConstants hopper = nccl_link(18 * 20.6e9, kGpusPerNode * 50e9);
  if (name == "h100") return gpu(name, 989e12, 80e9, 3.35e12, hopper);
  if (name == "h100_one_nic") return gpu(name, 989e12, 80e9, 3.35e12, nccl_link(18 * 20.6e9, 50e9));
  if (name == "h200") return gpu(name, 989e12, 141e9, 4.8e12, hopper);
  if (name == "a100_40")
    return gpu(name, 312e12, 40e9, 1.555e12, nccl_link(12 * 20e9, kGpusPerNode * 25e9));
  throw ConfigError(fmt::format("machine: expected one of {}, found {}",
                                fmt::join(machine_preset_names(), ", "), name));
}

MachinePreset machine_preset_with(double device_bytes) {
  MachinePreset best = machine_preset(machine_preset_names().front());
  for (const std::string& name : machine_preset_names()) {
    MachinePreset preset = machine_preset(name);
    const bool nearer =
        std::abs(preset.device_bytes - device_bytes) < std::abs(best.device_bytes - device_bytes);
    if (nearer) best = std::move(preset);
  }
  return best;
}

MachineConstants cpu_constants(c10::ScalarType dtype, int threads) {
  MachineConstants machine;
  machine.matmul_flops = threads * (dtype == c10::kFloat ? 80e9 : 180e9);
  machine.memory_bytes_per_s = threads * 10e9;
  machine.elementwise_bytes_per_s = machine.memory_bytes_per_s;
  machine.operation_s = 2e-6;
  machine.link = shared_memory_link(2.5e9);
  return machine;
}

MemoryConstants memory_constants(c10::DeviceType type, c10::ScalarType dtype) {
  constexpr int64_t kMegabyte = 1'000'000;
  MemoryConstants constants;
  if (type == c10::kCPU) {
    constants.communication_bytes = 8 * kMegabyte;
    constants.runtime_bytes = 60 * kMegabyte;
    if (dtype == c10::kBFloat16) constants.runtime_bytes += cached_product_bytes(kCachedProducts);
  }
  return constants;
}

LinkConstants shared_memory_link(double copy_bytes_per_s) {
  return {.start_s = 20e-6,
          .hop_s = 0.0,
          .node_hop_s = 0.0,
          .bytes_per_s = copy_bytes_per_s,
          .node_bytes_per_s = copy_bytes_per_s,
          .ranks_per_node = 1 << 20,
          .is_shared_memory = true};
}

}  // namespace xkde::dist
