#include "distributed/sharding/shard_values.h"

#include <ATen/ATen.h>

namespace xkde::dist {

at::Tensor new_masters(const ShardLayout& layout, const EngineOptions& options) {
  const auto fp32 = at::TensorOptions().dtype(at::kFloat);
  if (!options.offload_optimizer)
    return at::zeros({layout.state_numel}, fp32.device(options.device));
  return at::zeros({layout.state_numel},
                   fp32.device(at::kCPU).pinned_memory(options.device.is_cuda()));
}

void fill_shard(const ShardLayout& layout, int shard, const ReadTensor& read, at::Tensor& state) {
  for (const UnitLayout& unit : layout.units) {
    for (const TensorSlot& slot : unit.slots) {
      for (const ShardPiece& piece : pieces_of(layout, unit, slot)) {
        if (piece.shard != shard) continue;
        const at::Tensor part = state.narrow(0, piece.state_offset, piece.numel);
        const bool in_place = part.is_cpu() && part.scalar_type() == at::kFloat;
        at::Tensor values = in_place ? part : at::empty({piece.numel}, at::kFloat);
        read(slot.name, piece.tensor_offset,
             {values.mutable_data_ptr<float>(), static_cast<size_t>(piece.numel)});
        if (!in_place) part.copy_(values);
      }
    }
  }
}

std::vector<DecayRange> decay_ranges_of(const ShardLayout& layout, int shard) {
  std::vector<DecayRange> ranges;
  for (const UnitLayout& unit : layout.units) {
    for (const TensorSlot& slot : unit.slots) {
      for (const ShardPiece& piece : pieces_of(layout, unit, slot)) {
        if (piece.shard != shard) continue;
        const int64_t end = piece.state_offset + piece.numel;
        const bool extends = !ranges.empty() && ranges.back().end == piece.state_offset &&
                             ranges.back().decays == slot.decays;
        if (extends) {
          ranges.back().end = end;
        } else {
          ranges.push_back({piece.state_offset, end, slot.decays});
        }
      }
    }
  }
  return ranges;
}

std::map<std::string, at::Tensor> gather_tensors(const ShardLayout& layout, const ProcessMesh& mesh,
                                                 const at::Tensor& state, at::Device device,
                                                 bool all) {
  std::map<std::string, at::Tensor> tensors;
  for (const UnitLayout& unit : layout.units) {
    at::Tensor full = state.narrow(0, unit.shard_offset, unit.shard_numel);
    if (mesh.num_shards() > 1) {
      const at::Tensor shard = full.to(device);
      full = at::empty({unit.shard_numel * mesh.num_shards()}, shard.options());
      mesh.shards().all_gather(full, shard)->wait();
    }
    if (!all && mesh.world().rank() != 0) continue;
    full = full.cpu();
    for (const TensorSlot& slot : unit.slots) {
      tensors[slot.name] = full.narrow(0, slot.offset, slot.numel).clone().view(slot.shape);
    }
  }
  return tensors;
}

}  // namespace xkde::dist
