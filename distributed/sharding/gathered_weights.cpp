#include "distributed/sharding/gathered_weights.h"

#include <ATen/ATen.h>

#include "core/trace/trace_spans.h"

namespace xkde::dist {

GatherOptions gather_options(const EngineOptions& options, int num_shards) {
  return {.dtype = options.compute_dtype,
          .device = options.device,
          .stays = options.weights_stay(num_shards)};
}

GatheredWeights::GatheredWeights(const ShardLayout& layout, const at::Tensor& master,
                                 Communicator& shards, GatherOptions options)
    : layout_(layout),
      master_(master),
      shards_(shards),
      options_(options),
      aliases_(shards.size() == 1 && options.dtype == master.scalar_type() &&
               options.device == master.device()),
      memory_(layout.units.size(), options.dtype, options.device),
      units_(layout.units.size()) {}

void GatheredWeights::start(size_t index) {
  Unit& unit = units_[index];
  if (unit.filled || unit.pending) return;
  const UnitLayout& layout = layout_.units[index];
  const at::Tensor shard = master_.narrow(0, layout.shard_offset, layout.shard_numel);
  if (aliases_) {
    unit.flat = shard;
    unit.filled = true;
    return;
  }
  const TraceSpan span(TraceLane::kGather, "gather", layout.name);
  unit.flat = memory_.take(index, layout.shard_numel * shards_.size());
  const at::Tensor own =
      unit.flat.narrow(0, shards_.rank() * layout.shard_numel, layout.shard_numel);
  own.copy_(shard, /*non_blocking=*/true);
  if (shards_.size() == 1) {
    unit.filled = true;
  } else {
    shards_.set_phase(layout.name);
    unit.pending = shards_.all_gather(unit.flat, own);
  }
}

const at::Tensor& GatheredWeights::get(size_t index) {
  start(index);
  Unit& unit = units_[index];
  if (unit.pending) {
    const TraceSpan span(TraceLane::kGather, "gather", layout_.units[index].name);
    unit.pending->wait();
    unit.pending.reset();
    unit.filled = true;
  }
  return unit.flat;
}

void GatheredWeights::done(size_t index) {
  if (!options_.stays) release(index);
}

void GatheredWeights::release(size_t index) {
  Unit& unit = units_[index];
  if (unit.pending) get(index);
  unit.filled = false;
  if (aliases_) {
    unit.flat = at::Tensor();
  } else {
    memory_.give_back(index);
  }
}

void GatheredWeights::invalidate() {
  for (size_t unit = 0; unit < units_.size(); ++unit) {
    if (!options_.stays || aliases_) {
      release(unit);
      continue;
    }
    if (units_[unit].pending) get(unit);
    units_[unit].filled = false;
  }
}

}  // namespace xkde::dist
