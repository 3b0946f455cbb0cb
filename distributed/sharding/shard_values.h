#ifndef XKDE_DISTRIBUTED_SHARDING_SHARD_VALUES_H_
#define XKDE_DISTRIBUTED_SHARDING_SHARD_VALUES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/optim/adamw.h"
#include "distributed/sharding/engine_options.h"
#include "distributed/sharding/process_mesh.h"
#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {

/// Gives values of the tensor of a name as fp32, row-major: those from `first` on, as many as `out`
/// takes.
using ReadTensor =
    std::function<void(const std::string& name, int64_t first, std::span<float> out)>;

/// Masters of a rank, all zero, where the options keep them.
at::Tensor new_masters(const ShardLayout& layout, const EngineOptions& options);

/// Fills `state`, the flat state of `shard` in any dtype, and reads no more than that. Not
/// collective.
void fill_shard(const ShardLayout& layout, int shard, const ReadTensor& read, at::Tensor& state);

/// Where weight decay applies in the flat state of `shard`.
std::vector<DecayRange> decay_ranges_of(const ShardLayout& layout, int shard);

/// All tensors of a layout by name, fp32 in host memory, on rank 0 (empty elsewhere) or on `all`
/// ranks. `state`: fp32 flat state of this rank's shard, which travels by way of `device`.
/// Collective.
std::map<std::string, at::Tensor> gather_tensors(const ShardLayout& layout, const ProcessMesh& mesh,
                                                 const at::Tensor& state, at::Device device,
                                                 bool all = false);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_SHARD_VALUES_H_
