#include "distributed/checkpoint/tensors.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/shape_text.h"
#include "distributed/checkpoint/checkpoint.h"

namespace xkde::dist {
namespace fs = std::filesystem;
std::map<std::string, TensorPlace> places_of(const ShardLayout& layout) {
  std::map<std::string, TensorPlace> places;
  for (const UnitLayout& unit : layout.units) {
    for (const TensorSlot& slot : unit.slots) places[slot.name] = {&unit, &slot};
  }
  return places;
}

void check_tensors(const fs::path& path, const ShardLayout& saved, const ShardLayout& expected) {
  const auto found = places_of(saved);
  const auto wanted = places_of(expected);
  for (const auto& [name, place] : wanted) {
    const auto it = found.find(name);
    XKDE_CHECK(it != found.end(), CheckpointError, path.string(), ": expected a tensor ", name,
               " as the model has, found none");
    XKDE_CHECK(it->second.slot->shape == place.slot->shape, CheckpointError, path.string(),
               ": tensor ", name, ": expected shape ", shape_text(place.slot->shape), ", found ",
               shape_text(it->second.slot->shape));
  }
  for (const auto& [name, place] : found) {
    XKDE_CHECK(wanted.contains(name), CheckpointError, path.string(),
               ": expected the tensors of the model, found also ", name);
  }
}

Hdf5File open_rank_file(const fs::path& folder, const Manifest& manifest, int shard) {
  const fs::path path = folder / rank_file_name(shard);
  Hdf5File file = Hdf5File::open(path);
  const std::pair<const char*, int64_t> expected[] = {
      {"step", manifest.step}, {"shard", shard}, {"num_shards", manifest.layout.num_shards}};
  for (const auto& [name, value] : expected) {
    const int64_t found = file.integer_attribute(name);
    XKDE_CHECK(found == value, CheckpointError, path.string(), ": ", name, ": expected ", value,
               ", found ", found);
  }
  return file;
}

Hdf5Dataset state_in(const Hdf5File& file, const std::string& kind, const Manifest& manifest) {
  Hdf5Dataset dataset = file.dataset(kind);
  const StateForm form = state_form(kind);
  const std::vector<int64_t> shape{form.numel(manifest.layout)};
  const bool is_type = dataset.stores(form.is_bytes ? Hdf5Type::kUint8 : Hdf5Type::kFloat32);
  const char* const type = form.is_bytes ? "uint8 " : "fp32 ";
  XKDE_CHECK(dataset.shape() == shape && is_type, CheckpointError, file.place(), ": ", kind,
             ": expected ", type, shape_text(shape), ", found ", is_type ? type : "another type, ",
             shape_text(dataset.shape()));
  return dataset;
}

CheckpointTensors::CheckpointTensors(fs::path folder, const ShardLayout& expected)
    : folder_(std::move(folder)) {
  verify_checkpoint(folder_);
  manifest_ = read_manifest(folder_);
  check_tensors(folder_ / kManifestFile, manifest_.layout, expected);
  places_ = places_of(manifest_.layout);
}

void CheckpointTensors::read(const std::string& name, int64_t first, std::span<float> out) {
  const auto it = places_.find(name);
  XKDE_CHECK(it != places_.end(), CheckpointError, folder_.string(), ": expected a tensor ", name,
             ", found none");
  const auto [unit, slot] = it->second;
  const int64_t last = first + std::ssize(out);
  XKDE_CHECK(first >= 0 && last <= slot->numel, InternalError, name, ": ", slot->numel,
             " elements have no ", out.size(), " from ", first, " on");
  for (const ShardPiece& piece : pieces_of(manifest_.layout, *unit, *slot)) {
    const int64_t begin = std::max(first, piece.tensor_offset);
    const int64_t end = std::min(last, piece.tensor_offset + piece.numel);
    if (begin >= end) continue;
    auto file = files_.find(piece.shard);
    if (file == files_.end()) {
      file = files_.emplace(piece.shard, open_rank_file(folder_, manifest_, piece.shard)).first;
    }
    state_in(file->second, kMasterState, manifest_)
        .read(piece.state_offset + begin - piece.tensor_offset,
              out.subspan(static_cast<size_t>(begin - first), static_cast<size_t>(end - begin)));
  }
}

}  // namespace xkde::dist
