#include "distributed/checkpoint/save.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "core/base/error.h"
#include "core/io/direct_file.h"
#include "core/io/durable_file.h"
#include "core/io/file.h"
#include "core/io/hdf5_file.h"
#include "distributed/checkpoint/index.h"
#include "distributed/checkpoint/retention.h"
#include "distributed/checkpoint/state_scan.h"
#include "distributed/comm/agreement.h"
#include "distributed/sharding/copy_check.h"

namespace xkde::dist {
namespace fs = std::filesystem;
namespace {

static_assert(std::endian::native == std::endian::little,
              "fp32 values are copied to disk as they are");

/// The names of the states, checked.
std::vector<std::string> kinds_of(const ShardLayout& layout, const StateView& state) {
  XKDE_CHECK(!state.empty() && state.front().name == kMasterState, InternalError,
             "checkpoint: expected ", kMasterState, " as the first state");
  std::vector<std::string> kinds;
  for (const NamedState& part : state) {
    const StateForm form = state_form(part.name);
    const size_t found = form.is_bytes ? part.codes.size() : part.values.size();
    XKDE_CHECK(static_cast<int64_t>(found) == form.numel(layout), InternalError,
               "checkpoint: ", part.name, ": expected ", form.numel(layout), " elements, found ",
               found);
    kinds.push_back(part.name);
  }
  return kinds;
}

struct FrameInfo {
  int64_t step;
  int shard;
  uint64_t fingerprint;
};

/// Lets the library make the file all but the values, and returns where they belong.
std::vector<int64_t> make_frame(const fs::path& path, const FrameInfo& info,
                                const ShardLayout& layout, const std::vector<std::string>& kinds) {
  Hdf5File file = Hdf5File::create(path);
  file.set_attribute("format_version", kCheckpointVersion);
  file.set_attribute("step", info.step);
  file.set_attribute("shard", info.shard);
  file.set_attribute("num_shards", layout.num_shards);
  std::vector<int64_t> offsets;
  for (const std::string& kind : kinds) {
    const StateForm form = state_form(kind);
    const Hdf5Type type = form.is_bytes ? Hdf5Type::kUint8 : Hdf5Type::kFloat32;
    offsets.push_back(file.create_flat(kind, form.numel(layout), type).file_offset());
  }
  for (const std::string& kind : kinds)
    file.link(kind, source_name(kind, info.step, info.fingerprint));
  file.close();
  return offsets;
}

/// An upper bound of what a checkpoint takes on disk.
int64_t bytes_of_checkpoint(const ShardLayout& layout, const std::vector<std::string>& kinds,
                            int64_t progress_bytes) {
  constexpr int64_t kFileOverhead = 32768;  // HDF5 metadata, alignment, blocks of the file system
  constexpr int64_t kPieceOverhead =
      1024;  // of a tensor or a mapping in index.h5 and manifest.json
  int64_t pieces = 0;
  for (const UnitLayout& unit : layout.units) {
    for (const TensorSlot& slot : unit.slots) {
      const auto dimensions = static_cast<int64_t>(slot.shape.size());
      pieces += 1 + 2 * dimensions * static_cast<int64_t>(pieces_of(layout, unit, slot).size());
    }
  }
  const StateBytes state = bytes_of_states(kinds);
  const int64_t values = layout.state_numel / state.block * state.bytes;
  const int64_t num_kinds = std::ssize(kinds);
  return layout.num_shards * (values + kFileOverhead) + num_kinds * pieces * kPieceOverhead +
         progress_bytes + 4 * kFileOverhead;
}

FileRecord record_from(const WrittenShard& written, int shard) {
  FileRecord record;
  record.name = rank_file_name(shard);
  record.bytes = written.bytes;
  record.sha256.assign(written.sha256.begin(), written.sha256.end());
  return record;
}

/// The rank that writes a shard: the copies take turns, as they may be on different hosts.
int writer_of(int shard, int num_shards, int world_size) {
  const int copies = world_size / num_shards;
  return shard % copies * num_shards + shard;
}

}  // namespace

CheckpointSave::CheckpointSave(fs::path root, const ShardLayout& layout, CheckpointInfo info,
                               const Communicator& world)
    : root_(std::move(root)),
      folder_(root_ / (folder_name(info.step) + kTemporary)),
      layout_(layout),
      info_(std::move(info)),
      rank_(world.rank()),
      size_(world.size()) {}

void CheckpointSave::prepare(const StateView& state, Communicator& world) {
  const std::vector<std::vector<std::string>> kinds = agree(world, [&] {
    XKDE_CHECK(size_ % layout_.num_shards == 0 && info_.step >= 0 && info_.keep_last >= 0,
               InternalError, "checkpoint of step ", info_.step, ", keeping ", info_.keep_last,
               ": ", layout_.num_shards, " shards on ", size_, " ranks");
    kinds_ = kinds_of(layout_, state);
    if (is_root()) make_folder();
    return kinds_;
  });
  for (size_t rank = 0; rank < kinds.size(); ++rank) {
    XKDE_CHECK(kinds[rank] == kinds.front(), InternalError, "checkpoint: rank ", rank, " has ",
               kinds[rank].size(), " states, rank 0 has ", kinds.front().size());
  }
}

void CheckpointSave::make_folder() {
  Json state = info_.progress;
  if (info_.score) state["score"] = *info_.score;
  progress_ = state.dump(1) + "\n";
  if (fs::create_directories(root_)) sync_folder_of(root_);
  remove_leftovers(root_);
  check_free_space(root_,
                   bytes_of_checkpoint(layout_, kinds_, static_cast<int64_t>(progress_.size())));
  fs::create_directory(folder_);
}

// The values go to disk without the library: where they no longer fit, it has nothing left to lose.
WrittenShard CheckpointSave::write_shard(const StateView& state, std::stop_token stop,
                                         Pace* pace) const {
  const int shard = rank_ % layout_.num_shards;
  const std::string place = concat("checkpoint of step ", info_.step);
  WrittenShard written;
  written.fingerprint = scan_state(state, layout_, shard, place, stop, pace);
  if (writer_of(shard, layout_.num_shards, size_) != rank_) return written;
  const std::vector<std::string> kinds = kinds_of(layout_, state);
  const fs::path path = folder_ / rank_file_name(shard);
  const std::vector<int64_t> offsets =
      make_frame(path, {info_.step, shard, written.fingerprint}, layout_, kinds);
  DirectFile file(path, std::move(stop), pace);
  // The library may put a small dataset before a large one that was there first.
  std::map<int64_t, const NamedState*> by_offset;
  for (size_t i = 0; i < state.size(); ++i) by_offset[offsets[i]] = &state[i];
  for (const auto& [offset, part] : by_offset) {
    file.keep_until(offset);
    if (part->codes.empty()) {
      file.append(part->values.data(), part->values.size_bytes());
    } else {
      file.append(part->codes.data(), part->codes.size_bytes());
    }
  }
  file.keep_rest();
  const FileRecord record = file.finish();
  written.bytes = record.bytes;
  XKDE_CHECK(record.sha256.size() == written.sha256.size(), InternalError, path.string(),
             ": expected a SHA-256, found ", record.sha256);
  std::copy(record.sha256.begin(), record.sha256.end(), written.sha256.begin());
  return written;
}

Manifest CheckpointSave::manifest(const std::vector<WrittenShard>& written) const {
  Manifest manifest{.step = info_.step, .kinds = kinds_, .files = {}, .layout = layout_};
  for (int shard = 0; shard < layout_.num_shards; ++shard) {
    const int writer = writer_of(shard, layout_.num_shards, size_);
    manifest.files.push_back(record_from(written.at(static_cast<size_t>(writer)), shard));
  }
  return manifest;
}

void CheckpointSave::complete(const std::vector<WrittenShard>& written) const {
  if (!is_root()) return;
  std::vector<uint64_t> fingerprints;
  for (const WrittenShard& shard : written) fingerprints.push_back(shard.fingerprint);
  // The copies take turns in writing shards: those of two that differ would be no model at all.
  if (info_.compares_copies)
    check_copies(fingerprints, layout_.num_shards, concat("checkpoint of step ", info_.step));
  fingerprints.resize(static_cast<size_t>(layout_.num_shards));
  Manifest whole = manifest(written);
  whole.files.push_back(write_index(folder_, whole, fingerprints));
  whole.files.push_back(write_durable(folder_ / kStateFile, progress_));
  for (const fs::path& file : info_.synced_first) sync_path(file);
  write_manifest(folder_, whole);
  sync_path(folder_);
  const std::string name = folder_name(info_.step);
  std::vector<std::string> pointers{kLatestFile};
  if (info_.score && is_best(root_, name, *info_.score))
    pointers.insert(pointers.begin(), kBestFile);
  for (const std::string& pointer : pointers) {  // now, as nothing needs space after the rename
    write_durable(root_ / (pointer + kTemporary), name + "\n");
  }
  replace_folder(folder_, root_ / name);
  sync_path(root_);
  for (const std::string& pointer : pointers) {
    rename_file(root_ / (pointer + kTemporary), root_ / pointer);
  }
  sync_path(root_);
  if (info_.keep_last > 0) remove_old(root_, info_.keep_last);
}

void CheckpointSave::abandon() const noexcept {
  if (!is_root()) return;
  // The error that brought us here is the one to report.
  try_remove_tree(folder_);
  std::error_code ignored;
  for (const char* pointer : {kLatestFile, kBestFile}) {
    fs::remove(root_ / (std::string(pointer) + kTemporary), ignored);
  }
}

}  // namespace xkde::dist
