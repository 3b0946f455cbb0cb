#ifndef XKDE_DISTRIBUTED_CHECKPOINT_CHECKPOINT_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_CHECKPOINT_H_

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/io/json_file.h"
#include "distributed/checkpoint/state_form.h"
#include "distributed/comm/communicator.h"
#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {

/// One rank's flat values of one kind: fp32, or bytes where its StateForm says so.
struct NamedState {
  std::string name;  ///< of the datasets that hold it: "master", "exp_avg"
  std::span<float> values;
  std::span<uint8_t> codes = {};
};
inline constexpr const char* kMasterState = "master";

/// One rank's training state: kMasterState first, then what the optimizer keeps. The masters alone
/// make a checkpoint of weights only.
using StateView = std::vector<NamedState>;

/// What a checkpoint is called and holds besides the state, and what may go once it is durable.
struct CheckpointInfo {
  int64_t step = 0;
  Json progress;          ///< an object, for state.json; that of rank 0 counts
  int64_t keep_last = 0;  ///< newest folders that stay; 0: all
  /// Lower is better. Where it is given, state.json has it as "score", and the folder with the
  /// lowest one stays too and is named by BEST. As given on rank 0.
  std::optional<double> score = std::nullopt;
  /// Nothing is saved unless the values of all copies are equal. As given on rank 0.
  bool compares_copies = true;
  /// Files whose content is to be durable before the checkpoint is: what a run that goes on from it
  /// will read. As given on rank 0.
  std::vector<std::filesystem::path> synced_first = {};
};

/// Writes `root`/step-XXXXXXXX (8 digits) from the ranks' states; collective over `world`, blocks
/// until durable. Rank r holds shard r % layout.num_shards of copy r / layout.num_shards; copies
/// are equal, and each shard is written once. Files: rank_XXXXX.h5 for each shard (a flat dataset
/// for each NamedState), index.h5 (virtual datasets under Hugging Face names, full shapes, in a
/// group for each NamedState), state.json (info.progress), manifest.json (size and SHA-256 of every
/// file, number of shards, layout) and manifest.sha256. See docs/checkpoint_format.md. The folder
/// is written as step-XXXXXXXX.tmp, fsynced, renamed; then BEST and LATEST are replaced by rename.
/// Leftover *.tmp folders are removed first, old folders last, but never one that LATEST or BEST
/// names. Throws IoError (path, bytes needed) on a full disk or I/O error, and NumericError (state,
/// tensor) where a value on any rank is NaN or infinite, and CopiesError (shard, ranks) where
/// copies differ: on every rank, with nothing left under a final name.
void save_checkpoint(const std::filesystem::path& root, const ShardLayout& layout,
                     const StateView& state, const CheckpointInfo& info, Communicator& world);

/// The newest checkpoint under `root` whose manifest and every file's size and SHA-256 verify;
/// damaged ones, and those with a piece that cannot be read, are reported by a warning and passed
/// over. Nothing when `root` holds no checkpoint folder at all; CheckpointError when it holds some
/// but none verifies; IoError when `root` cannot be read. Only steps below `below` count. Not
/// collective.
std::optional<std::filesystem::path> newest_verified_checkpoint(
    const std::filesystem::path& root, int64_t below = std::numeric_limits<int64_t>::max());

/// Checks sizes and SHA-256 of all files of one checkpoint. Throws CheckpointError: file, expected,
/// found. Not collective.
void verify_checkpoint(const std::filesystem::path& folder);

/// Fills `state` of this rank, shard world.rank() % layout.num_shards, from a checkpoint of any
/// number of shards (each rank reads just the slices it needs) and returns state.json. Collective
/// over `world`; the ranks share the verification of the files. Throws CheckpointError (file,
/// expected, found): damaged file, other tensor names or shapes than `layout`, or a state asked for
/// that is not there. Throws NumericError (folder, state, tensor) where a value on any rank is NaN
/// or infinite; `state` is of no use then. On every rank.
Json load_checkpoint(const std::filesystem::path& folder, const ShardLayout& layout,
                     const StateView& state, Communicator& world);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_CHECKPOINT_H_
