#include "distributed/checkpoint/async_checkpointer.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/sha256.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/distributed/checkpoint/checkpoint_support.h"

namespace xkde::dist {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

void copy(OwnedState& state, const StateView& out) {
  const StateView from = state.view();
  for (size_t i = 0; i < out.size(); ++i) std::ranges::copy(from[i].values, out[i].values.begin());
}

CheckpointInfo info_at(int64_t step) {
  return {.step = step, .progress = progress_at(step), .keep_last = 2};
}

bool on_any(Communicator& comm, bool mine) {
  at::Tensor flag = at::full({1}, static_cast<int64_t>(mine), at::TensorOptions().dtype(at::kLong));
  comm.all_reduce(flag, ReduceOp::kMax)->wait();
  return flag.item<int64_t>() != 0;
}

/// A rank of a run of two, with its state and what saves it.
struct Rank {
  Rank(const fs::path& root, Communicator& comm)
      : layout(make_layout(small_units(), comm.size())),
        rank(comm.rank()),
        checkpointer(root, layout, kAllStates, comm) {}
  void save(int64_t step) {
    OwnedState state = state_at(layout, rank, step);
    checkpointer.save([&](const StateView& out) { copy(state, out); }, info_at(step));
    checkpointer.wait_for_copy();
    state = empty_state(layout);  // what follows must not reach the files
  }
  ShardLayout layout;
  int rank;
  AsyncCheckpointer checkpointer;
};

TEST_F(CheckpointTest, AnAsynchronousSaveIsCompletedByPolling) {
  run_ranks(2, [&](Communicator& comm) {
    Rank rank(root_, comm);
    rank.save(1);
    int polls = 0;
    // One poll sees the shards written, a later one that rank 0 has made it a checkpoint.
    while (on_any(comm, comm.rank() == 0 && !fs::exists(root_ / "LATEST"))) {
      rank.checkpointer.poll(on_any(comm, rank.checkpointer.is_writing()));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ASSERT_LT(++polls, 20000);
    }
  });

  expect_loads(root_ / "step-00000001", 3, 1);
}

TEST_F(CheckpointTest, TheNextSaveAndTheEndFinishTheEarlierOnes) {
  run_ranks(2, [&](Communicator& comm) {
    Rank rank(root_, comm);
    for (const int64_t step : {1, 2, 3}) rank.save(step);
    EXPECT_EQ(newest_verified_checkpoint(root_), root_ / "step-00000002");
    rank.checkpointer.finish();
    rank.checkpointer.finish();
    rank.checkpointer.poll(false);
  });

  EXPECT_THAT(names_in(root_), ElementsAre("LATEST", "step-00000002", "step-00000003"));
  expect_loads(root_ / "step-00000002", 2, 2);
  expect_loads(root_ / "step-00000003", 1, 3);
}

TEST_F(CheckpointTest, ABrokenOffSaveLeavesTheOldCheckpoint) {
  save(root_, 2, 1);

  run_ranks(2, [&](Communicator& comm) {
    Rank rank(root_, comm);
    rank.save(2);
  });

  EXPECT_EQ(newest_verified_checkpoint(root_), root_ / "step-00000001");
  save(root_, 2, 3, 1);
  EXPECT_THAT(names_in(root_), ElementsAre("LATEST", "step-00000003"));
}

TEST_F(CheckpointTest, LargeStatesAreTheSameFilesFromPagesAndFromOddPlaces) {
  const std::vector<UnitLayout> units{
      {.name = "a", .slots = {{.name = "a.weight", .shape = {1201, 1009}}}},
      {.name = "b", .slots = {{.name = "b.weight", .shape = {1031, 1500}}}}};
  run_ranks(2, [&](Communicator& comm) {
    const ShardLayout layout = make_layout(units, 2);
    OwnedState state = empty_state(layout);
    float next = static_cast<float>(comm.rank());
    for (auto* values : {&state.master, &state.exp_avg, &state.exp_avg_sq}) {
      for (float& value : *values) value = next += 0.25F;
    }
    AsyncCheckpointer checkpointer(root_ / "pages", layout, kAllStates, comm);
    checkpointer.save([&](const StateView& out) { copy(state, out); }, info_at(1));
    checkpointer.finish();
    save_checkpoint(root_ / "odd", layout, state.view(), info_at(1), comm);

    OwnedState loaded = empty_state(layout);
    load_checkpoint(root_ / "pages" / "step-00000001", layout, loaded.view(), comm);
    EXPECT_TRUE(loaded.master == state.master);
    EXPECT_TRUE(loaded.exp_avg == state.exp_avg);
    EXPECT_TRUE(loaded.exp_avg_sq == state.exp_avg_sq);
  });

  for (const std::string& name : names_in(root_ / "pages" / "step-00000001")) {
    const auto digest = [&](const char* root) {
      return sha256_of_file(root_ / root / "step-00000001" / name);
    };
    EXPECT_EQ(digest("pages"), digest("odd")) << name;
  }
}

TEST_F(CheckpointTest, ACopyThatFailsIsReportedToWhoWaitsForIt) {
  run_ranks(1, [&](Communicator& comm) {
    Rank rank(root_, comm);
    rank.checkpointer.save([](const StateView&) { throw IoError("the copy failed"); }, info_at(1));
    EXPECT_EQ(message_of<IoError>([&] { rank.checkpointer.wait_for_copy(); }), "the copy failed");
    EXPECT_EQ(message_of<IoError>([&] { rank.checkpointer.finish(); }), "the copy failed");
  });

  EXPECT_EQ(newest_verified_checkpoint(root_), std::nullopt);
}

/// Saves step 2 while `spoil` is done to the disk after its space was checked; the messages of all
/// ranks.
std::vector<std::string> failed_save(const fs::path& root, const std::function<void()>& spoil) {
  std::vector<std::string> messages(2);
  run_ranks(2, [&](Communicator& comm) {
    Rank rank(root, comm);
    rank.checkpointer.save(
        [&](const StateView& out) {
          OwnedState state = state_at(rank.layout, rank.rank, 2);
          copy(state, out);
          if (comm.rank() == 0) spoil();
          comm.barrier();
        },
        info_at(2));
    messages[static_cast<size_t>(comm.rank())] =
        message_of<IoError>([&] { rank.checkpointer.finish(); });
    rank.checkpointer.finish();  // nothing is left to fail again
  });
  return messages;
}

TEST_F(CheckpointTest, ADiskThatFillsUpWhileStepsRunFailsOnAllRanks) {
  const fs::path disk = root_ / "disk";
  const SmallDisk mounted(disk, "size=2m");
  if (!mounted.mounted()) GTEST_SKIP() << "this user may not mount a small file system";
  save(disk, 2, 1);

  const auto messages = failed_save(disk, [&] {
    std::ofstream(disk / "filler") << std::string(size_t{4} << 20, 'x');  // more than there is
  });

  for (const std::string& message : messages) {
    EXPECT_THAT(message, AllOf(HasSubstr((disk / "step-00000002.tmp").string()),
                               HasSubstr("No space left on device")));
  }
  EXPECT_THAT(names_in(disk), ElementsAre("LATEST", "filler", "step-00000001"));
  expect_loads(*newest_verified_checkpoint(disk), 2, 1);
}

TEST_F(CheckpointTest, ACheckpointThatCannotBeCompletedFailsOnAllRanks) {
  save(root_, 2, 1);

  const auto messages = failed_save(root_, [&] { fs::create_directory(root_ / "LATEST.tmp"); });

  for (const std::string& message : messages) {
    EXPECT_THAT(message, HasSubstr("LATEST.tmp: cannot create: File exists"));
  }
  EXPECT_THAT(names_in(root_), ElementsAre("LATEST", "step-00000001"));
  expect_loads(*newest_verified_checkpoint(root_), 2, 1);
}

}  // namespace
}  // namespace xkde::dist
