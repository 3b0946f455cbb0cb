#ifndef XKDE_DISTRIBUTED_PLANNER_STEP_MODEL_H_
#define XKDE_DISTRIBUTED_PLANNER_STEP_MODEL_H_

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "distributed/planner/memory_model.h"

namespace xkde::dist {

/// How ranks reach each other. A ring of n ranks on x + 1 nodes moves a full tensor of `bytes` in
///   start_s + (n - 1 - x) hop_s + x node_hop_s + bytes (n - 1) / (n * bandwidth)
/// for an all-gather or a reduce-scatter; an all-reduce takes two of those. Source: NCCL,
/// src/graph/tuning.cc. Bandwidths are those of one rank's traffic, in bytes a second.
struct LinkConstants {
  double start_s = 0.0;
  double hop_s = 0.0;             ///< to a rank of the same node
  double node_hop_s = 0.0;        ///< to one of another node
  double bytes_per_s = 0.0;       ///< inside a node
  double node_bytes_per_s = 0.0;  ///< out of a node, all its ranks together
  int ranks_per_node = 1;
  /// Every rank copies the whole tensor through memory that all share: bytes / bandwidth in place
  /// of the ring's term.
  bool is_shared_memory = false;
  /// In shared memory, where ranks outnumber the cores: how long a rank waits for its turn. Each
  /// chunk of chunk_bytes needs all of them.
  double turn_s = 0.0;
  double chunk_bytes = 2 << 20;
};

/// What a rank computes and communicates with.
struct MachineConstants {
  double matmul_flops = 0.0;           ///< a second, at the model's shapes in the compute dtype
  double attention_share = 1.0 / 3.0;  ///< of matmul_flops that attention reaches
  double head_flops = 0.0;  ///< of the head with all that is done to logits; 0: by the other rates
  double optimizer_elements_per_s = 0.0;  ///< of AdamW's update; 0: at the pace of memory
  double elementwise_bytes_per_s = 0.0;   ///< read and written by one operation on activations
  double memory_bytes_per_s = 0.0;        ///< read and written, on data beyond every cache
  double operation_s = 0.0;               ///< to start one operation
  bool overlaps = false;                  ///< communication and start-up run beside the kernels
  double exposure = 0.5;  ///< share of the hidden communication that a node's borders lay open
  double host_link_bytes_per_s = 50e9;  ///< of a device to its host (PCIe 5 x16)
  double host_bytes_per_s = 25e9;       ///< of the host's memory, a device's share
  LinkConstants link;
};

/// What one rank does in a step, its parts of all packs together.
struct StepWork {
  double packs = 1.0;
  double tokens = 0.0;
  double labels = 0.0;
  double pairs = 0.0;  ///< of a query and a key that are computed
};

/// Seconds of one step, part by part; those that overlap count once in total().
struct StepSeconds {
  double matmul = 0.0;  ///< linear layers of the blocks
  double attention = 0.0;
  double head = 0.0;
  double elementwise = 0.0;    ///< norms, rotary, activations, copies
  double gradients = 0.0;      ///< added up
  double optimizer = 0.0;      ///< clipping, AdamW, casts
  double communication = 0.0;  ///< of all collectives, hidden or not
  double exposed = 0.0;        ///< the part of it that computation does not hide

  double total() const;
  /// The names of the members that total() adds up and their values, in this order.
  std::array<std::pair<std::string_view, double>, 7> items() const;
};

/// All-gather or reduce-scatter of a full tensor of `bytes` among `ranks` consecutive ranks.
double gather_seconds(const LinkConstants& link, double bytes, int ranks);
/// All-reduce of `bytes` among `groups` ranks that are `stride` ranks apart.
double all_reduce_seconds(const LinkConstants& link, double bytes, int groups, int stride);

/// The terms are those of docs/planner.md. Sources: arXiv:2304.11277 for the schedule, NCCL for the
/// links.
StepSeconds predict_step(const ModelShape& model, const EngineOptions& options, int ranks,
                         const StepWork& work, const MachineConstants& machine);

/// The matmul_flops with which the forward and backward passes of `model`'s blocks over `work` take
/// `seconds`, all other constants being those of `machine`.
double fitted_matmul_flops(const ModelShape& model, const EngineOptions& options,
                           const StepWork& work, MachineConstants machine, double seconds);

/// All of `packs`, those of one rank and step.
StepWork work_of(const std::vector<PackedBatch>& packs, c10::DeviceType type);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_PLANNER_STEP_MODEL_H_
