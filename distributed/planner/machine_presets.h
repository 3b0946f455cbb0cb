#ifndef XKDE_DISTRIBUTED_PLANNER_MACHINE_PRESETS_H_
#define XKDE_DISTRIBUTED_PLANNER_MACHINE_PRESETS_H_

#include <string>
#include <vector>

#include "distributed/planner/step_model.h"

namespace xkde::dist {

/// Nominal rates of a GPU node, for predictions that we cannot check here.
struct MachinePreset {
  std::string name;
  double peak_flops = 0.0;  ///< dense bf16: what model FLOP utilisation is measured against
  double device_bytes = 0.0;
  MachineConstants machine;  ///< matmul_flops: what good kernels sustain, 0.6 of the peak
};

/// "h100" (NVLink, 8 x 400 Gb/s), "h100_one_nic" (one 400 Gb/s card a node), "h200", "a100_40" (8 x
/// 200 Gb/s). Throws ConfigError that lists the names. Links: NCCL, src/graph/tuning.cc and topo.h;
/// devices: the makers' data sheets.
MachinePreset machine_preset(const std::string& name);
std::vector<std::string> machine_preset_names();
/// The one whose devices are most like one of `device_bytes`.
MachinePreset machine_preset_with(double device_bytes);

/// Of a GPU's rate in bf16, its rate in fp32 without tensor cores.
inline constexpr double kFloatShare = 1.0 / 15.0;

/// Nominal rates of a rank of `threads` threads on a CPU with AVX-512. They are fixed, so that the
/// plan is the same at every start; probe_cpu() measures instead.
MachineConstants cpu_constants(c10::ScalarType dtype, int threads);

/// What a run of this program that computes in `dtype` adds to a rank's memory, as measured on the
/// development machine.
MemoryConstants memory_constants(c10::DeviceType type, c10::ScalarType dtype);

/// Ranks of one host that exchange through memory, each with `copy_bytes_per_s` (read and written,
/// counted once).
LinkConstants shared_memory_link(double copy_bytes_per_s);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_PLANNER_MACHINE_PRESETS_H_
