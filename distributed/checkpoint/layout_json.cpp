#include "distributed/checkpoint/layout_json.h"

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace xkde::dist {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

/// Where only one value fits what stands before it.
int64_t exactly(const JsonPlace& object, const char* key, int64_t expected) {
  const JsonPlace value = object.at(key);
  if (value.integer(std::numeric_limits<int64_t>::min(), kMost) != expected)
    value.fail(std::to_string(expected));
  return expected;
}

/// The number of elements of a shape, which is at most `most`.
int64_t numel_of(const JsonPlace& shape, std::vector<int64_t>& extents, int64_t most) {
  int64_t product = 1;
  for (size_t i = 0; i < shape.array().size(); ++i) {
    extents.push_back(shape.item(i).integer(1, most / product));
    product *= extents.back();
  }
  return product;
}

/// `offset`: where the tensors before it end; `most`: elements that the unit has left.
TensorSlot slot_from(const JsonPlace& place, int64_t offset, int64_t most) {
  TensorSlot slot{.name = place.at("name").string(), .shape = {}};
  XKDE_CHECK(!slot.name.empty(), DataError, place.where(), ": expected a name, found none");
  slot.offset = exactly(place, "offset", offset);
  slot.numel = exactly(place, "numel", numel_of(place.at("shape"), slot.shape, most));
  return slot;
}

/// `offset`: where the units before it end; `most`: elements that the state has left.
UnitLayout unit_from(const JsonPlace& place, int num_shards, int64_t offset, int64_t most) {
  UnitLayout unit{.name = place.at("name").string(), .slots = {}};
  unit.shard_offset = exactly(place, "shard_offset", offset);
  unit.shard_numel = place.at("shard_numel").integer(1, most);
  const int64_t room =
      unit.shard_numel > kMost / num_shards ? kMost : unit.shard_numel * num_shards;
  unit.numel = place.at("numel").integer(1, room);
  const JsonPlace tensors = place.at("tensors");
  int64_t numel = 0;
  for (size_t i = 0; i < tensors.array().size(); ++i) {
    const JsonPlace tensor = tensors.item(i);
    XKDE_CHECK(numel < unit.numel, DataError, tensor.where(), ": expected no tensor behind the ",
               unit.numel, " elements of the unit, found one");
    unit.slots.push_back(slot_from(tensor, numel, unit.numel - numel));
    numel += unit.slots.back().numel;
  }
  XKDE_CHECK(numel == unit.numel, DataError, tensors.where(), ": expected ", unit.numel,
             " elements, found ", numel);
  return unit;
}

Json unit_json(const UnitLayout& unit) {
  Json tensors = Json::array();
  for (const TensorSlot& slot : unit.slots) {
    tensors.push_back({{"name", slot.name},
                       {"shape", slot.shape},
                       {"offset", slot.offset},
                       {"numel", slot.numel}});
  }
  return {{"name", unit.name},
          {"numel", unit.numel},
          {"shard_numel", unit.shard_numel},
          {"shard_offset", unit.shard_offset},
          {"tensors", std::move(tensors)}};
}

}  // namespace

Json layout_json(const ShardLayout& layout) {
  Json units = Json::array();
  for (const UnitLayout& unit : layout.units) units.push_back(unit_json(unit));
  return {{"num_shards", layout.num_shards},
          {"state_numel", layout.state_numel},
          {"units", std::move(units)}};
}

ShardLayout layout_from_json(const JsonPlace& place, int num_shards, int64_t most_state_numel) {
  ShardLayout layout;
  layout.num_shards = static_cast<int>(exactly(place, "num_shards", num_shards));
  layout.state_numel = place.at("state_numel").integer(1, most_state_numel);
  const JsonPlace units = place.at("units");
  int64_t offset = 0;
  std::set<std::string> names;
  for (size_t i = 0; i < units.array().size(); ++i) {
    const JsonPlace unit = units.item(i);
    const int64_t most = layout.state_numel - offset;
    XKDE_CHECK(most > 0, DataError, unit.where(), ": expected no unit behind the ",
               layout.state_numel, " elements of the state, found one");
    layout.units.push_back(unit_from(unit, num_shards, offset, most));
    offset += layout.units.back().shard_numel;
    for (const TensorSlot& slot : layout.units.back().slots) {
      XKDE_CHECK(names.insert(slot.name).second, DataError, unit.where(), ": tensor ", slot.name,
                 ": expected it once in the layout, found it twice");
    }
  }
  XKDE_CHECK(offset == layout.state_numel, DataError, units.where(), ": expected ",
             layout.state_numel, " elements of a shard, found ", offset);
  return layout;
}

}  // namespace xkde::dist
