#ifndef XKDE_DISTRIBUTED_CHECKPOINT_SAVE_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_SAVE_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/io/pace.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/manifest.h"
#include "distributed/comm/communicator.h"

namespace xkde::dist {

/// What a rank tells of its shard: the FloatFingerprint of its values and, on disk, size and digest
/// (hexadecimal). No bytes: another rank wrote it.
struct WrittenShard {
  uint64_t fingerprint = 0;
  int64_t bytes = 0;
  std::array<char, 64> sha256{};
};

/// One save in steps, of which only prepare() communicates, so that the others may run on a thread
/// of their own: prepare(); write_shard() on all ranks; complete() with all their results, in rank
/// order, once all are done. After an error on any rank, and when no rank is at work any more,
/// abandon() on all.
class CheckpointSave {
 public:
  /// No effect outside. `layout` outlives the save.
  CheckpointSave(std::filesystem::path root, const ShardLayout& layout, CheckpointInfo info,
                 const Communicator& world);

  /// Collective. Checks the arguments, removes leftovers, asks for space, makes the temporary
  /// folder.
  void prepare(const StateView& state, Communicator& world);
  /// Checks this rank's state, which must be finite, and writes its shard durably, if another
  /// copy's rank does not; what it returns is for complete(). Throws NumericError, and IoError.
  WrittenShard write_shard(const StateView& state, std::stop_token stop = {},
                           Pace* pace = nullptr) const;
  /// On rank 0, of no effect elsewhere: compares the copies, writes the other files, gives the
  /// folder its name, replaces BEST and LATEST, removes old checkpoints. Throws CopiesError,
  /// IoError.
  void complete(const std::vector<WrittenShard>& written) const;
  /// Removes the temporary folder.
  void abandon() const noexcept;

 private:
  bool is_root() const { return rank_ == 0; }
  void make_folder();
  Manifest manifest(const std::vector<WrittenShard>& written) const;

  std::filesystem::path root_, folder_;
  const ShardLayout& layout_;
  CheckpointInfo info_;
  int rank_, size_;
  std::vector<std::string> kinds_;
  std::string progress_;  ///< the text of state.json
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_SAVE_H_
