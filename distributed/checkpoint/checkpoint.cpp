#include "distributed/checkpoint/checkpoint.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/file_reader.h"
#include "core/io/hdf5_file.h"
#include "distributed/checkpoint/manifest.h"
#include "distributed/checkpoint/save.h"
#include "distributed/checkpoint/state_scan.h"
#include "distributed/checkpoint/tensors.h"
#include "distributed/comm/agreement.h"

namespace xkde::dist {
namespace fs = std::filesystem;
namespace {

void check_room(const ShardLayout& layout, const NamedState& part) {
  const StateForm form = state_form(part.name);
  const size_t found = form.is_bytes ? part.codes.size() : part.values.size();
  XKDE_CHECK(static_cast<int64_t>(found) == form.numel(layout), InternalError,
             "checkpoint: ", part.name, ": expected room for ", form.numel(layout),
             " elements, found ", found);
}

void check_states(const fs::path& path, const Manifest& manifest, const ShardLayout& layout,
                  const StateView& state) {
  for (const NamedState& part : state) {
    check_room(layout, part);
    XKDE_CHECK(
        std::find(manifest.kinds.begin(), manifest.kinds.end(), part.name) != manifest.kinds.end(),
        CheckpointError, path.string(), ": kinds: expected ", part.name,
        ", found a checkpoint without it");
  }
}

bool same(const ShardLayout& a, const ShardLayout& b) {
  const auto same_slot = [](const TensorSlot& x, const TensorSlot& y) {
    return x.name == y.name && x.shape == y.shape && x.offset == y.offset;
  };
  const auto same_unit = [&](const UnitLayout& x, const UnitLayout& y) {
    return x.shard_numel == y.shard_numel && x.shard_offset == y.shard_offset &&
           std::equal(x.slots.begin(), x.slots.end(), y.slots.begin(), y.slots.end(), same_slot);
  };
  return a.num_shards == b.num_shards && a.state_numel == b.state_numel &&
         std::equal(a.units.begin(), a.units.end(), b.units.begin(), b.units.end(), same_unit);
}

struct Copy {
  int64_t from = 0;  ///< in the flat dataset of the saved shard
  int64_t to = 0;    ///< in the flat state of the reading rank
  int64_t numel = 0;
};
using CopiesByShard = std::map<int, std::vector<Copy>>;

/// Adds what the saved pieces give to one piece of the reading rank. Throws CheckpointError if they
/// do not cover it.
void add_copies(const std::vector<ShardPiece>& saved, const ShardPiece& piece, const fs::path& path,
                CopiesByShard& copies) {
  int64_t covered = 0;
  for (const ShardPiece& source : saved) {
    const int64_t begin = std::max(source.tensor_offset, piece.tensor_offset);
    const int64_t end =
        std::min(source.tensor_offset + source.numel, piece.tensor_offset + piece.numel);
    if (begin >= end) continue;
    copies[source.shard].push_back({.from = source.state_offset + begin - source.tensor_offset,
                                    .to = piece.state_offset + begin - piece.tensor_offset,
                                    .numel = end - begin});
    covered += end - begin;
  }
  XKDE_CHECK(covered == piece.numel, CheckpointError, path.string(), ": layout: expected ",
             piece.numel, " elements of a tensor, found ", covered);
}

CopiesByShard plan(const fs::path& path, const ShardLayout& saved, const ShardLayout& layout,
                   int shard) {
  if (same(saved, layout)) return {{shard, {{.from = 0, .to = 0, .numel = layout.state_numel}}}};
  CopiesByShard copies;
  const auto places = places_of(saved);
  for (const UnitLayout& unit : layout.units) {
    for (const TensorSlot& slot : unit.slots) {
      const TensorPlace& place = places.at(slot.name);
      const auto sources = pieces_of(saved, *place.unit, *place.slot);
      for (const ShardPiece& piece : pieces_of(layout, unit, slot)) {
        if (piece.shard == shard) add_copies(sources, piece, path, copies);
      }
    }
  }
  return copies;
}

void read_ranges(const Hdf5Dataset& dataset, const std::vector<Copy>& ranges,
                 const NamedState& target) {
  for (const Copy& range : ranges) {
    const auto to = static_cast<size_t>(range.to);
    const auto numel = static_cast<size_t>(range.numel);
    if (target.codes.empty()) {
      dataset.read(range.from, target.values.subspan(to, numel));
    } else {
      dataset.read(range.from, target.codes.subspan(to, numel));
    }
  }
}

/// `copies`: of each state.
void read_state(const fs::path& folder, const Manifest& manifest,
                const std::vector<CopiesByShard>& copies, const StateView& state) {
  std::set<int> shards;
  for (size_t i = 0; i < state.size(); ++i) {
    std::fill(state[i].values.begin(), state[i].values.end(), 0.0F);  // the padding
    for (const auto& [shard, ranges] : copies[i]) shards.insert(shard);
  }
  for (const int shard : shards) {
    const Hdf5File file = open_rank_file(folder, manifest, shard);
    for (size_t i = 0; i < state.size(); ++i) {
      const auto ranges = copies[i].find(shard);
      if (ranges == copies[i].end()) continue;
      read_ranges(state_in(file, state[i].name, manifest), ranges->second, state[i]);
    }
  }
}

/// What `read` returns; that a piece of a checkpoint cannot be read or parsed is its damage.
template <typename Read>
auto reading_pieces(const Read& read) {
  try {
    return read();
  } catch (const DataError& error) {
    throw CheckpointError(error.what());
  } catch (const IoError& error) {
    throw CheckpointError(error.what());
  } catch (const MissingInputError& error) {
    throw CheckpointError(error.what());
  }
}

}  // namespace

void save_checkpoint(const fs::path& root, const ShardLayout& layout, const StateView& state,
                     const CheckpointInfo& info, Communicator& world) {
  CheckpointSave save(root, layout, info, world);
  try {
    save.prepare(state, world);
    const std::vector<WrittenShard> written = agree(world, [&] { return save.write_shard(state); });
    agree_on(world, [&] { save.complete(written); });
  } catch (const CommError&) {
    throw;  // the other ranks may still be writing; the next save removes the folder
  } catch (const Error&) {
    save.abandon();
    throw;
  }
}

void verify_checkpoint(const fs::path& folder) {
  for (const FileRecord& file : read_manifest(folder).files) verify_file(folder, file);
}

std::optional<fs::path> newest_verified_checkpoint(const fs::path& root, int64_t below) {
  std::vector<int64_t> steps;
  if (is_there(root, FileOrigin::kOwn)) {
    for (const fs::path& entry : entries_of(root, FileOrigin::kOwn)) {
      const int64_t step = step_of(entry.filename().string());
      if (step >= 0 && step < below) steps.push_back(step);
    }
  }
  if (steps.empty()) return std::nullopt;
  std::sort(steps.begin(), steps.end(), std::greater<>());
  for (const int64_t step : steps) {
    const fs::path folder = root / folder_name(step);
    try {
      verify_checkpoint(folder);
      return folder;
    } catch (const CheckpointError& error) {
      log::warning(concat("checkpoint passed over: ", error.what()));
    }
  }
  throw CheckpointError(concat(root.string(), ": expected a checkpoint that verifies, found ",
                               steps.size(), " damaged"));
}

Json load_checkpoint(const fs::path& folder, const ShardLayout& layout, const StateView& state,
                     Communicator& world) {
  Manifest manifest;
  std::vector<CopiesByShard> copies;
  agree_on(world, [&] {
    XKDE_CHECK(world.size() % layout.num_shards == 0, InternalError,
               "checkpoint: ", layout.num_shards, " shards on ", world.size(), " ranks");
    manifest = read_manifest(folder);
    const fs::path path = folder / kManifestFile;
    check_states(path, manifest, layout, state);
    check_tensors(path, manifest.layout, layout);
    for (const NamedState& part : state) {
      const StateForm form = state_form(part.name);
      copies.push_back(plan(path, layout_of_state(manifest.layout, form),
                            layout_of_state(layout, form), world.rank() % layout.num_shards));
    }
  });
  // Nothing is opened before every byte of it has been verified, by one of the ranks.
  agree_on(world, [&] {
    for (size_t i = 0; i < manifest.files.size(); ++i) {
      const bool mine = static_cast<int>(i % static_cast<size_t>(world.size())) == world.rank();
      if (mine) verify_file(folder, manifest.files[i]);
    }
  });
  Json progress;
  agree_on(world, [&] {
    reading_pieces([&] {
      read_state(folder, manifest, copies, state);
      progress = read_json_file(folder / kStateFile);
    });
    check_finite(state, layout, world.rank() % layout.num_shards, folder.string());
  });
  return progress;
}

}  // namespace xkde::dist
