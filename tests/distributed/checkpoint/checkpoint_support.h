#ifndef XKDE_TESTS_DISTRIBUTED_CHECKPOINT_CHECKPOINT_SUPPORT_H_
#define XKDE_TESTS_DISTRIBUTED_CHECKPOINT_CHECKPOINT_SUPPORT_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "distributed/checkpoint/checkpoint.h"
#include "tests/support/message_of.h"

namespace xkde::dist {

/// A folder of its own for each test, removed at its end.
class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest();
  ~CheckpointTest() override;
  std::filesystem::path root_;
};

/// Three units whose tensors have 1, 2 and 3 dimensions and split at odd places.
std::vector<UnitLayout> small_units();

/// The value of element `index` of a tensor at a step: different for each, and exact in fp32.
float value_of(const std::string& kind, const std::string& tensor, int64_t index, int64_t step);

/// The states of AdamW, as a checkpoint names them.
inline const std::vector<std::string> kAllStates{kMasterState, "exp_avg", "exp_avg_sq"};

/// One rank's state at a step.
struct OwnedState {
  std::vector<float> master, exp_avg, exp_avg_sq;
  StateView view() {
    StateView view{{kMasterState, master}};
    if (!exp_avg.empty()) view.push_back({"exp_avg", exp_avg});
    if (!exp_avg_sq.empty()) view.push_back({"exp_avg_sq", exp_avg_sq});
    return view;
  }
};
OwnedState state_at(const ShardLayout& layout, int rank, int64_t step, bool moments = true);
OwnedState empty_state(const ShardLayout& layout, bool moments = true);

Json progress_at(int64_t step);

/// Saves the state of `step` from `ranks` ranks (threads).
void save(const std::filesystem::path& root, int ranks, int64_t step, int64_t keep_last = 0,
          bool moments = true);

/// Loads on `ranks` ranks, in `copies` copies, and expects every element of every tensor of `step`.
void expect_loads(const std::filesystem::path& folder, int ranks, int64_t step, bool moments = true,
                  int copies = 1);

/// Names in a folder, sorted.
std::vector<std::string> names_in(const std::filesystem::path& folder);

/// A small file system in memory at `folder`, where the user may mount one.
class SmallDisk {
 public:
  /// `options` as of mount -t tmpfs: "size=1m".
  SmallDisk(const std::filesystem::path& folder, const std::string& options);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::filesystem::path folder_;
  bool mounted_ = false;
};

using test::message_of;

}  // namespace xkde::dist

#endif  // XKDE_TESTS_DISTRIBUTED_CHECKPOINT_CHECKPOINT_SUPPORT_H_
