#include "distributed/planner/step_model.h"

#include <algorithm>

#include <c10/core/ScalarTypeToTypeMeta.h>

namespace xkde::dist {
namespace {

// Of the forward pass; a backward pass takes two of linear layers and elementwise operations, and
// 2.5 of attention, whose scores it computes again.
constexpr double kBackward = 2.0;
constexpr double kAttentionBackward = 2.5;
constexpr double kOperationsPerBlock = 50.0;

double width_of(c10::ScalarType type) { return static_cast<double>(c10::elementSize(type)); }

/// Products of a backward pass for each of a forward pass; frozen weights need none of their own.
double backward_products(const ModelShape& model) { return model.is_frozen() ? 1.0 : kBackward; }

double forwards(const EngineOptions& options) {
  return options.recompute == Recompute::kBlock ? 2.0 : 1.0;
}

double attention_flops(const ModelShape& model, double pairs) {
  return 4.0 * static_cast<double>(model.layers * model.queries) * pairs;
}

/// Elements of one token that the elementwise operations of a block's forward pass read and write:
/// norms of 7 D, two sums of 3 D; rotary 9 (q + k); repeated and joined heads 6 q; silu and
/// product 5 F.
double touched_elements(const ModelShape& model) {
  const int64_t repeats = model.queries != model.keys ? 4 * model.queries : 0;
  const int64_t of_rows = (7 * model.norms + 6) * model.hidden;
  const int64_t of_heads = (model.norms_heads ? 16 : 9) * (model.queries + model.keys);
  return static_cast<double>(of_rows + of_heads + repeats + 2 * model.queries + 5 * model.inner);
}

double mean_block(const ModelShape& model) {
  double total = 0.0;
  for (size_t unit = 1; unit + 1 < model.unit_numels.size(); ++unit) {
    total += static_cast<double>(model.unit_numels[unit]);
  }
  return total / static_cast<double>(model.layers);
}

/// Collectives of one step, in seconds, and where in the step they fall.
struct Traffic {
  double forward = 0.0;   ///< of one block, each forward pass
  double backward = 0.0;  ///< of one block, each backward pass
  double last = 0.0;      ///< of one block in the backward pass of the last pack
  double first = 0.0;     ///< of one block in the forward pass of the first pack
  double open = 0.0;      ///< of a step, beside no computation
};

Traffic traffic_of(const ModelShape& model, const EngineOptions& options, int ranks, double packs,
                   const LinkConstants& link) {
  const int shards = options.num_shards(ranks);
  const int copies = ranks / shards;
  const double block = mean_block(model);
  const double w = width_of(options.compute_dtype);
  const double ends = static_cast<double>(model.unit_numels.front() + model.unit_numels.back());
  const double r = width_of(options.grad_reduce_dtype);
  const double gather = gather_seconds(link, w * block, shards);
  const ModelShape trained = model.trained();
  const double trained_block = mean_block(trained);
  const double trained_ends =
      static_cast<double>(trained.unit_numels.front() + trained.unit_numels.back());
  const double reduce = gather_seconds(link, r * trained_block, shards);
  Traffic traffic;
  traffic.open = gather_seconds(link, r * trained_ends, shards);
  const double gather_ends = gather_seconds(link, w * ends, shards);
  const ShardPolicy& policy = options.policy();
  if (policy.weights_stay) {
    traffic.first = gather;
    traffic.open += gather_ends;
  } else {
    traffic.forward = gather;
    traffic.backward = gather;
    traffic.open += packs * gather_ends;
  }
  (policy.reduce_when == ReduceWhen::kEachPack ? traffic.backward : traffic.last) += reduce;
  if (copies > 1) {
    const double part = r / static_cast<double>(shards);
    traffic.last += all_reduce_seconds(link, part * trained_block, copies, shards);
    traffic.open += all_reduce_seconds(link, part * trained_ends, copies, shards);
  }
  return traffic;
}

/// How much of `traffic` computing for `compute` seconds leaves open.
double open_part(double traffic, double compute, bool hides) {
  return hides ? std::max(0.0, traffic - compute) : traffic;
}

struct Communication {
  double all = 0.0;
  double open = 0.0;
};

/// A step's communication, unit by unit. `forward` and `backward` are the seconds that a block
/// computes in a pack.
// NOLINTNEXTLINE(readability-function-size): the terms of one formula
Communication spread(const Traffic& traffic, const ModelShape& model, const EngineOptions& options,
                     double packs, double forward, double backward, bool overlaps) {
  const bool hides_gathers = overlaps && options.prefetch > 0;
  const bool hides_sums = overlaps && options.device.is_cuda();
  const auto layers = static_cast<double>(model.layers);
  Communication result;
  result.all = traffic.open + layers * (packs * (traffic.forward + traffic.backward) +
                                        traffic.first + traffic.last);
  const auto in_forward = [&](double t) { return open_part(t, forward, hides_gathers); };
  const auto in_backward = [&](double t) {
    return open_part(t, backward, hides_sums && (options.policy().weights_stay || hides_gathers));
  };
  const double others = std::max(0.0, packs - 1.0);
  result.open = traffic.open +
                layers * (in_forward(traffic.forward + traffic.first) +
                          in_backward(traffic.backward + traffic.last) +
                          others * (in_forward(traffic.forward) + in_backward(traffic.backward)));
  return result;
}

// NOLINTNEXTLINE(readability-function-size): the terms of one formula
Communication communication_of(const ModelShape& model, const EngineOptions& options, int ranks,
                               double packs, double forward, double backward,
                               const MachineConstants& machine) {
  return spread(traffic_of(model, options, ranks, packs, machine.link), model, options, packs,
                forward, backward, machine.overlaps);
}

void add_compute(StepSeconds& seconds, const ModelShape& model, const EngineOptions& options,
                 const StepWork& work, const MachineConstants& machine) {
  const double passes = forwards(options) + kBackward;
  const auto w = width_of(options.compute_dtype);
  const auto layers = static_cast<double>(model.layers);
  seconds.matmul = 2.0 * (forwards(options) + backward_products(model)) *
                   static_cast<double>(model.block_multiply_adds) * work.tokens /
                   machine.matmul_flops;
  seconds.attention = (forwards(options) + kAttentionBackward) *
                      attention_flops(model, work.pairs) /
                      (machine.matmul_flops * machine.attention_share);
  const double logits = work.labels * static_cast<double>(model.vocabulary);
  const double head_products =
      2.0 * (1.0 + backward_products(model)) * logits * static_cast<double>(model.hidden);
  // Log-softmax, its gradient and the casts touch each logit about 12 times in fp32.
  seconds.head = machine.head_flops > 0.0
                     ? head_products / machine.head_flops
                     : head_products / machine.matmul_flops +
                           12.0 * 4.0 * logits / machine.elementwise_bytes_per_s;
  const double starts = machine.operation_s * kOperationsPerBlock * layers * work.packs * passes;
  seconds.elementwise =
      passes * layers * touched_elements(model) * w * work.tokens / machine.elementwise_bytes_per_s;
  if (!model.held_words.empty()) {
    // Each pass of a pack decodes all units, to fp32 and on to the compute dtype.
    seconds.elementwise += 2.0 * work.packs * static_cast<double>(model.parameters()) * (4.0 + w) /
                           machine.elementwise_bytes_per_s;
  }
  if (!machine.overlaps) {
    seconds.elementwise += starts;
  } else {
    // The host only has to stay ahead of the device.
    const double busy = seconds.matmul + seconds.attention + seconds.elementwise;
    seconds.elementwise += std::max(0.0, starts - busy);
  }
}

void add_updates(StepSeconds& seconds, const ModelShape& model, const EngineOptions& options,
                 int shards, const StepWork& work, const MachineConstants& machine) {
  const auto w = width_of(options.compute_dtype);
  const ModelShape trained = model.trained();
  const auto all = static_cast<double>(trained.parameters());
  const auto own = static_cast<double>(state_numel(trained, shards));
  // A pack's matrix gradients are read and added to fp32 sums that are read and written.
  seconds.gradients = work.packs * all * (w + 8.0) / machine.memory_bytes_per_s;
  // Cleared, read for the norm; AdamW reads four fp32 states and writes three; cast for the gather.
  const double clipping = own * (4.0 + 4.0) / machine.memory_bytes_per_s;
  const double update = machine.optimizer_elements_per_s > 0.0
                            ? own / machine.optimizer_elements_per_s
                            : own * 28.0 / machine.memory_bytes_per_s;
  // One shard that frees its weights casts them for each pass.
  const double casts = shards == 1 && !options.weights_stay(shards) ? 2.0 * work.packs : 1.0;
  seconds.optimizer = clipping + update + casts * own * (4.0 + w) / machine.memory_bytes_per_s;
  if (options.offload_optimizer && machine.overlaps) {
    // Gradients go down, weights come up, and the host's memory does the rest.
    seconds.optimizer = clipping + own * (4.0 + w) / machine.host_link_bytes_per_s +
                        own * 28.0 / machine.host_bytes_per_s;
  }
}

}  // namespace

std::array<std::pair<std::string_view, double>, 7> StepSeconds::items() const {
  return {{{"matrix products", matmul},
           {"attention", attention},
           {"head", head},
           {"elementwise", elementwise},
           {"gradient sums", gradients},
           {"optimizer", optimizer},
           {"communication", exposed}}};
}

double StepSeconds::total() const {
  double sum = 0.0;
  for (const auto& [name, seconds] : items()) sum += seconds;
  return sum;
}

double gather_seconds(const LinkConstants& link, double bytes, int ranks) {
  if (ranks <= 1) return 0.0;
  const int per_node = std::min(ranks, link.ranks_per_node);
  const int borders = (ranks + link.ranks_per_node - 1) / link.ranks_per_node - 1;
  double latency = link.start_s + (ranks - 1 - borders) * link.hop_s + borders * link.node_hop_s;
  if (link.is_shared_memory) {
    // A chunk of an all-gather brings a piece of every rank, one of a reduce-scatter is shared out
    // among them: the mean of both.
    const double chunks = bytes / link.chunk_bytes * (0.5 + 0.5 / ranks);
    return latency + bytes / link.bytes_per_s + chunks * link.turn_s;
  }
  double bandwidth = link.bytes_per_s;
  if (borders > 0) {
    // A ring leaves a node through the network cards of the ranks that take part.
    const double share = static_cast<double>(per_node) / link.ranks_per_node;
    bandwidth = std::min(bandwidth, link.node_bytes_per_s * share);
  }
  return latency + bytes * (ranks - 1) / (ranks * bandwidth);
}

double all_reduce_seconds(const LinkConstants& link, double bytes, int groups, int stride) {
  if (groups <= 1) return 0.0;
  if (stride < link.ranks_per_node) return 2.0 * gather_seconds(link, bytes, groups);
  LinkConstants across = link;
  across.ranks_per_node = 1;  // one rank of each node, which has its own network card
  across.node_bytes_per_s = link.node_bytes_per_s / link.ranks_per_node;
  return 2.0 * gather_seconds(across, bytes, groups);
}

double fitted_matmul_flops(const ModelShape& model, const EngineOptions& options,
                           const StepWork& work, MachineConstants machine, double seconds) {
  EngineOptions once = options;
  once.recompute = Recompute::kNone;
  machine.matmul_flops = 1.0;
  StepSeconds parts;
  add_compute(parts, model, once, work, machine);
  // Not all of it can be elementwise work, whatever the constants say.
  const double left = std::max(seconds - parts.elementwise, 0.2 * seconds);
  return (parts.matmul + parts.attention) / left;
}

StepWork work_of(const std::vector<PackedBatch>& packs, c10::DeviceType type) {
  StepWork work;
  work.packs = static_cast<double>(packs.size());
  for (const PackedBatch& pack : packs) {
    const PackShape shape = shape_of(pack, type);
    work.tokens += static_cast<double>(shape.tokens);
    work.labels += static_cast<double>(shape.labels);
    work.pairs += static_cast<double>(shape.pairs);
  }
  return work;
}

StepSeconds predict_step(const ModelShape& model, const EngineOptions& options, int ranks,
                         const StepWork& work, const MachineConstants& machine) {
  const int shards = options.num_shards(ranks);
  StepSeconds seconds;
  add_compute(seconds, model, options, work, machine);
  add_updates(seconds, model, options, shards, work, machine);
  if (ranks == 1) return seconds;

  const double blocks = seconds.matmul + seconds.attention + seconds.elementwise;
  const double pass =
      blocks / (static_cast<double>(model.layers) * work.packs * (forwards(options) + kBackward));
  const double backward = pass * (kBackward + forwards(options) - 1.0);
  const Communication here =
      communication_of(model, options, ranks, work.packs, pass, backward, machine);
  seconds.communication = here.all;
  seconds.exposed = here.open;
  if (machine.overlaps && ranks > machine.link.ranks_per_node) {
    // What is hidden still takes processors and memory from the kernels. Inside a node that is part
    // of the sustained rate; across nodes a share of the longer collectives comes on top.
    const int node_ranks = machine.link.ranks_per_node;
    EngineOptions inside = options;
    inside.replicate = std::max(1, node_ranks / shards);
    const Communication node =
        communication_of(model, inside, node_ranks, work.packs, pass, backward, machine);
    const double hidden = (here.all - here.open) - (node.all - node.open);
    seconds.exposed += machine.exposure * std::max(0.0, hidden);
  }
  return seconds;
}

}  // namespace xkde::dist
