#include "distributed/sharding/model_layout.h"

#include <utility>

namespace xkde::dist {

ShardLayout layout_of(const Decoder& decoder, int num_shards, int64_t align) {
  std::vector<UnitLayout> units;
  for (const DecoderUnit& unit : decoder.units()) {
    UnitLayout layout{.name = unit.name, .slots = {}};
    for (const UnitTensor& tensor : unit.tensors) {
      layout.slots.push_back({.name = tensor.name, .shape = tensor.shape, .decays = tensor.decays});
    }
    units.push_back(std::move(layout));
  }
  return make_layout(std::move(units), num_shards, align);
}

ShardLayout layout_of(const std::vector<LoraBlock>& blocks, int num_shards, int64_t align) {
  std::vector<UnitLayout> units;
  for (const LoraBlock& block : blocks) {
    UnitLayout layout{.name = block.name, .slots = {}};
    for (const LoraTensor& tensor : block.tensors) {
      layout.slots.push_back({.name = tensor.name, .shape = tensor.shape});
    }
    units.push_back(std::move(layout));
  }
  return make_layout(std::move(units), num_shards, align);
}

}  // namespace xkde::dist
