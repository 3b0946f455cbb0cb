#ifndef XKDE_DISTRIBUTED_PLANNER_MACHINE_PROBE_H_
#define XKDE_DISTRIBUTED_PLANNER_MACHINE_PROBE_H_

#include "core/model/decoder.h"
#include "distributed/planner/step_model.h"
#include "distributed/sharding/engine_options.h"

namespace xkde::dist {

/// What a rank of this host computes and communicates with when `ranks` of them share its cores,
/// from seconds measured here: the passes of one block of `decoder` over `batch` (on the CPU), sums
/// and copies in memory. Uses the threads that at::get_num_threads() says; takes a few block
/// passes.
MachineConstants probe_cpu(const Decoder& decoder, const PackedBatch& batch,
                           const EngineOptions& options, int ranks);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_PLANNER_MACHINE_PROBE_H_
