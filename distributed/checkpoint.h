#ifndef XKDE_DISTRIBUTED_CHECKPOINT_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/io/json_file.h"
#include "distributed/communicator.h"
#include "distributed/shard_layout.h"

namespace xkde::dist {

/// One rank's flat fp32 training state, each of layout.state_numel elements. Moments may be empty
/// (weights only).
struct StateView {
  std::span<float> master;
  std::span<float> exp_avg;
  std::span<float> exp_avg_sq;
};

/// Writes `root`/step-XXXXXXXX (8 digits) from all ranks' states; collective, blocks until durable.
/// Files: rank_XXXXX.h5 (flat datasets "master", "exp_avg", "exp_avg_sq"), index.h5 (virtual
/// datasets under Hugging Face names, full shapes, groups "/master", "/exp_avg", "/exp_avg_sq"),
/// state.json (`progress`: step, epoch, position, random streams, resolved recipe), manifest.json
/// (size and SHA-256 of every file, number of shards, layout) and manifest.sha256. See
/// docs/checkpoint_format.md. The folder is written as
/// step-XXXXXXXX.tmp, fsynced, renamed; then LATEST is replaced by rename. Leftover *.tmp folders
/// are removed first. Afterwards keeps the newest `keep_last` (0: all), never removing what LATEST
/// names. Throws IoError (path, bytes needed) on a full disk or I/O error, on every rank, with
/// nothing left under a final name.
void save_checkpoint(const std::filesystem::path& root, int64_t step, const ShardLayout& layout,
                     const StateView& state, const Json& progress, int64_t keep_last,
                     Communicator& comm);

/// The newest checkpoint under `root` whose manifest and every file's size and SHA-256 verify;
/// damaged ones are reported by a warning and passed over. Nothing when `root` holds no checkpoint
/// folder at all; CheckpointError when it holds some but none verifies. Not collective.
std::optional<std::filesystem::path> newest_verified_checkpoint(const std::filesystem::path& root);

/// Fills `state` of this rank from a checkpoint written by any number of ranks (each reads just the
/// slices it needs) and returns `progress`. Collective; the ranks share the verification of the
/// files. Throws CheckpointError (file, expected, found): damaged file, other tensor names or
/// shapes than `layout`, or moments asked for that are not there.
Json load_checkpoint(const std::filesystem::path& folder, const ShardLayout& layout,
                     const StateView& state, Communicator& comm);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_H_
