#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/retention.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/distributed/checkpoint/checkpoint_support.h"

namespace xkde::dist {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

/// Saves from `ranks` ranks with `copies` copies of the model.
void save_copies(const fs::path& root, int ranks, int copies, int64_t step) {
  run_ranks(ranks, [&](Communicator& world) {
    const int shards = ranks / copies;
    const ShardLayout layout = make_layout(small_units(), shards);
    OwnedState state = state_at(layout, world.rank() % shards, step);
    save_checkpoint(root, layout, state.view(), {.step = step, .progress = progress_at(step)},
                    world);
  });
}

TEST_F(CheckpointTest, CopiesWriteEachShardOnceAndAnyMeshReadsThem) {
  struct Mesh {
    int ranks, copies;
  };
  int64_t step = 0;
  for (const Mesh& mesh : {Mesh{2, 2}, Mesh{4, 2}, Mesh{6, 2}, Mesh{6, 3}}) {
    ++step;
    save_copies(root_, mesh.ranks, mesh.copies, step);
    const fs::path folder = *newest_verified_checkpoint(root_);

    EXPECT_EQ(names_in(folder).size(), static_cast<size_t>(mesh.ranks / mesh.copies + 4));
    expect_loads(folder, 1, step);
    expect_loads(folder, 3, step);
    for (const Mesh& reader : {Mesh{2, 2}, Mesh{4, 2}, Mesh{6, 3}}) {
      expect_loads(folder, reader.ranks, step, true, reader.copies);
    }
  }
}

TEST_F(CheckpointTest, EveryCopyLearnsThatOneCannotSave) {
  std::vector<std::string> messages(4);

  run_ranks(4, [&](Communicator& world) {
    const ShardLayout layout = make_layout(small_units(), 2);
    OwnedState state = empty_state(layout);
    if (world.rank() == 3) state.master.pop_back();
    messages[static_cast<size_t>(world.rank())] = message_of<InternalError>([&] {
      save_checkpoint(root_, layout, state.view(), {.step = 1, .progress = Json::object()}, world);
    });
  });

  for (const std::string& message : messages) {
    EXPECT_THAT(message, HasSubstr("checkpoint: master: expected "));
  }
  EXPECT_TRUE(names_in(root_).empty());
}

TEST_F(CheckpointTest, CopiesThatDifferAreNotSaved) {
  save_copies(root_, 4, 2, 1);
  std::vector<std::string> messages(4);

  run_ranks(4, [&](Communicator& world) {
    const ShardLayout layout = make_layout(small_units(), 2);
    OwnedState state = state_at(layout, world.rank() % 2, 2);
    if (world.rank() == 3) state.exp_avg_sq[5] += 1.0F;
    const auto save = [&](bool compares) {
      save_checkpoint(root_, layout, state.view(),
                      {.step = 2, .progress = progress_at(2), .compares_copies = compares}, world);
    };
    messages[static_cast<size_t>(world.rank())] = message_of<CopiesError>([&] { save(true); });
    if (world.rank() == 0) {
      EXPECT_THAT(names_in(root_), ElementsAre("LATEST", "step-00000001"));
    }
    world.barrier();
    EXPECT_NO_THROW(save(false));
  });

  EXPECT_THAT(messages, testing::Each(HasSubstr("checkpoint of step 2: expected the same masters "
                                                "and moments in all 2 copies of the model, found "
                                                "shard 1 of ranks 1, 3 unlike each other")));
}

TEST_F(CheckpointTest, RefusesShardsThatDoNotDivideTheRanks) {
  const auto act = [&] {
    run_ranks(3, [&](Communicator& world) {
      const ShardLayout layout = make_layout(small_units(), 2);
      OwnedState state = empty_state(layout);
      save_checkpoint(root_, layout, state.view(), {.step = 1, .progress = Json::object()}, world);
    });
  };

  EXPECT_THAT(message_of<InternalError>(act), HasSubstr("2 shards on 3 ranks"));
}

void save_scored(const fs::path& root, int64_t step, double score, int64_t keep_last = 1) {
  run_ranks(2, [&](Communicator& world) {
    const ShardLayout layout = make_layout(small_units(), 2);
    OwnedState state = state_at(layout, world.rank(), step);
    const CheckpointInfo info{
        .step = step, .progress = progress_at(step), .keep_last = keep_last, .score = score};
    save_checkpoint(root, layout, state.view(), info, world);
  });
}

std::string best(const fs::path& root) {
  std::string name;
  std::getline(std::ifstream(root / "BEST"), name);
  return name;
}

TEST_F(CheckpointTest, ABestThatCannotBeReadIsAnErrorAndNothingIsRemoved) {
  save_scored(root_, 1, 1.0);
  save_scored(root_, 2, 2.0);
  fs::remove(root_ / "BEST");
  fs::create_symlink("/proc/self/mem", root_ / "BEST");  // EIO

  EXPECT_THAT(message_of<IoError>([&] { save_scored(root_, 3, 3.0); }),
              HasSubstr("BEST: cannot be read"));
  EXPECT_TRUE(fs::exists(root_ / "step-00000001"));
}

TEST_F(CheckpointTest, WhatIsToBeSyncedFirstMustBeThere) {
  run_ranks(2, [&](Communicator& world) {
    const ShardLayout layout = make_layout(small_units(), 2);
    OwnedState state = state_at(layout, world.rank(), 1);
    CheckpointInfo info{.step = 1, .progress = progress_at(1)};
    info.synced_first = {root_ / "metrics.jsonl"};

    EXPECT_THAT(
        message_of<IoError>([&] { save_checkpoint(root_, layout, state.view(), info, world); }),
        HasSubstr("metrics.jsonl"));
  });
  EXPECT_EQ(newest_verified_checkpoint(root_), std::nullopt);
}

TEST_F(CheckpointTest, KeepsTheBestBesideTheNewest) {
  save_scored(root_, 1, 3.0);
  save_scored(root_, 2, 1.0);
  save_scored(root_, 3, 2.0);
  save_scored(root_, 4, 1.0);  // no better

  EXPECT_EQ(best(root_), "step-00000002");
  EXPECT_THAT(names_in(root_), ElementsAre("BEST", "LATEST", "step-00000002", "step-00000004"));
  EXPECT_EQ(read_json_file(root_ / "step-00000002" / "state.json").at("score"), 1.0);

  save_scored(root_, 5, 0.5);

  EXPECT_EQ(best(root_), "step-00000005");
  EXPECT_THAT(names_in(root_), ElementsAre("BEST", "LATEST", "step-00000005"));
}

TEST_F(CheckpointTest, ABestThatIsGoneIsReplaced) {
  save_scored(root_, 1, 1.0);
  fs::remove_all(root_ / "step-00000001");

  save_scored(root_, 2, 5.0);

  EXPECT_EQ(best(root_), "step-00000002");
}

TEST_F(CheckpointTest, ABestSavedAgainStaysTheBest) {
  save_scored(root_, 1, 1.0);
  save_scored(root_, 2, 2.0);

  save_scored(root_, 1, 3.0);  // as after going back, with other settings

  EXPECT_EQ(best(root_), "step-00000001");
}

void point(const fs::path& root, const char* pointer, const std::string& name) {
  std::ofstream(root / pointer) << name << "\n";
}

TEST_F(CheckpointTest, ASaveBrokenOffBehindItsRenameIsFinished) {
  save_scored(root_, 1, 3.0, 0);
  save_scored(root_, 2, 2.0, 0);
  save_scored(root_, 3, 1.0, 0);
  point(root_, "BEST", "step-00000002");
  point(root_, "LATEST", "step-00000002");
  point(root_, "BEST.tmp", "step-00000003");

  finish_broken_save(root_, "step-00000003", 1, true);

  EXPECT_EQ(best(root_), "step-00000003");
  EXPECT_THAT(names_in(root_), ElementsAre("BEST", "LATEST", "step-00000003"));
  EXPECT_EQ(named_by(root_, "LATEST"), "step-00000003");
}

TEST_F(CheckpointTest, OfEqualScoresTheEarliestIsBest) {
  for (const int64_t step : {1, 2, 3}) save_scored(root_, step, 1.0, 0);
  fs::remove(root_ / "BEST");

  finish_broken_save(root_, "step-00000003", 0, true);

  EXPECT_EQ(best(root_), "step-00000001");
}

TEST_F(CheckpointTest, WhatIsNewerThanTheNewestThatVerifiesDoesNotCount) {
  for (const int64_t step : {1, 2, 3, 4})
    save_scored(root_, step, static_cast<double>(5 - step), 0);

  finish_broken_save(root_, "step-00000002", 2, true);

  EXPECT_EQ(best(root_), "step-00000002");
  EXPECT_EQ(named_by(root_, "LATEST"), "step-00000002");
  EXPECT_THAT(names_in(root_), ElementsAre("BEST", "LATEST", "step-00000001", "step-00000002",
                                           "step-00000003", "step-00000004"));
}

TEST_F(CheckpointTest, WithoutScoresThereIsNoBest) {
  save(root_, 1, 1);

  EXPECT_EQ(best(root_), "");
}

TEST_F(CheckpointTest, VerifiesOneCheckpoint) {
  save(root_, 2, 1);
  const fs::path folder = root_ / "step-00000001";
  EXPECT_NO_THROW(verify_checkpoint(folder));
  fs::remove(folder / "rank_00001.h5");

  EXPECT_THAT(message_of<CheckpointError>([&] { verify_checkpoint(folder); }),
              HasSubstr("rank_00001.h5: expected a file of "));
}

}  // namespace
}  // namespace xkde::dist
