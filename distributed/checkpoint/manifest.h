#ifndef XKDE_DISTRIBUTED_CHECKPOINT_MANIFEST_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_MANIFEST_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/io/durable_file.h"
#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {

inline constexpr int64_t kCheckpointVersion = 1;
inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr const char* kManifestDigestFile = "manifest.sha256";
inline constexpr const char* kStateFile = "state.json";
inline constexpr const char* kIndexFile = "index.h5";

/// What manifest.json says: which files make up a checkpoint and how the tensors lie in them.
struct Manifest {
  int64_t step = 0;
  std::vector<std::string>
      kinds;                      ///< "master", then "exp_avg" and "exp_avg_sq" unless weights only
  std::vector<FileRecord> files;  ///< one rank file for each shard, index.h5, state.json
  ShardLayout layout;
};

std::string rank_file_name(int shard);     ///< "rank_00000.h5"
std::string folder_name(int64_t step);     ///< "step-00000100"
int64_t step_of(const std::string& name);  ///< of a folder_name(), else -1

/// Writes manifest.json and manifest.sha256 into a folder. Throws IoError.
void write_manifest(const std::filesystem::path& folder, const Manifest& manifest);

/// Reads and checks manifest.json against manifest.sha256, and its step against the folder's name
/// where that is one of a step; what it says of files and tensors fits together, and the rank files
/// are long enough for it. Throws CheckpointError: file, place, expected, found.
Manifest read_manifest(const std::filesystem::path& folder);

/// Compares the size, which takes no time. Throws CheckpointError: file, expected, found.
void verify_size(const std::filesystem::path& folder, const FileRecord& record);

/// Compares size and SHA-256. Throws CheckpointError: file, expected, found.
void verify_file(const std::filesystem::path& folder, const FileRecord& record);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_MANIFEST_H_
