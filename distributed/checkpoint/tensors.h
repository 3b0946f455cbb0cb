#ifndef XKDE_DISTRIBUTED_CHECKPOINT_TENSORS_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_TENSORS_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "core/io/hdf5_file.h"
#include "distributed/checkpoint/manifest.h"
#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {

/// A tensor of a layout with the unit that holds it.
struct TensorPlace {
  const UnitLayout* unit;
  const TensorSlot* slot;
};
/// By name; points into `layout`.
std::map<std::string, TensorPlace> places_of(const ShardLayout& layout);

/// Throws CheckpointError (`path`, expected, found) unless the layouts have the same tensors, by
/// name and shape, however they are cut.
void check_tensors(const std::filesystem::path& path, const ShardLayout& saved,
                   const ShardLayout& expected);

/// A rank file of which every byte has been verified. Throws CheckpointError (file, expected,
/// found) unless it is the shard of the step that the manifest says.
Hdf5File open_rank_file(const std::filesystem::path& folder, const Manifest& manifest, int shard);
/// The dataset of a state in it, as its StateForm says. Throws CheckpointError when it is
/// another.
Hdf5Dataset state_in(const Hdf5File& file, const std::string& kind, const Manifest& manifest);

/// The masters of a checkpoint of any number of shards, tensor by tensor, for a single process.
class CheckpointTensors {
 public:
  /// Verifies all files, and that the tensors are those of `expected`. Throws CheckpointError.
  CheckpointTensors(std::filesystem::path folder, const ShardLayout& expected);

  /// Row-major values from `first` on, as many as `out` takes. Throws CheckpointError.
  void read(const std::string& name, int64_t first, std::span<float> out);

 private:
  std::filesystem::path folder_;
  Manifest manifest_;
  std::map<std::string, TensorPlace> places_;  // into manifest_
  std::map<int, Hdf5File> files_;              // by shard, once read from
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_TENSORS_H_
