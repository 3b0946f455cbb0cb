#ifndef XKDE_STAGES_RUN_RUN_PLACE_H_
#define XKDE_STAGES_RUN_RUN_PLACE_H_

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/base/dtype.h"
#include "distributed/comm/communicator.h"
#include "distributed/planner/planner.h"
#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// LibTorch's word for it.
at::ScalarType scalar_type(Dtype dtype);

/// Where a run is to happen, as its plan sees it.
struct RunPlace {
  int ranks = 1;
  int ranks_on_host = 1;
  int threads = 1;  ///< of a rank
  at::Device device = at::kCPU;
  int64_t bytes = 0;  ///< that a rank may use of the device's memory
  dist::MachineConstants machine{};
};
/// The place of a rank that runs now, on this host, on `device`. Machine constants are nominal, so
/// that a plan is the same at every start.
RunPlace this_place(int ranks, int ranks_on_host, at::Device device, at::ScalarType compute_dtype);
/// `ranks` GPUs of a machine_preset.
RunPlace preset_place(int ranks, const std::string& preset, at::ScalarType compute_dtype);

/// What a rank holds of its host's main memory before it holds a model: the pages of libraries. On
/// a GPU those of CUDA and NCCL too, a nominal figure that is not measured.
int64_t process_bytes(at::Device device);

/// The name of each rank's host, by rank. Collective.
std::vector<std::string> hosts_of_ranks(dist::Communicator& comm);
/// How many ranks run on this rank's host. Collective.
int count_ranks_here(dist::Communicator& comm);

/// What the recipe says of the engine; where it says auto, "grads" and "none". Throws ConfigError
/// where parallel.replicate does not divide the ranks.
dist::EngineOptions engine_options(const Recipe& recipe, int ranks, at::Device device);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_RUN_PLACE_H_
