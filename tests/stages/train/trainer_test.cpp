#include "stages/train/trainer.h"

#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/stages/train/fake_training.h"
#include "tests/support/message_of.h"

namespace xkde::recipe {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class TrainerTest : public TrainingTest {
 protected:
  /// One rank's run with `model` and `task`.
  std::optional<std::filesystem::path> run(
      FakeModel& model, FakeTask& task, const TrainKeys& keys, const DevOptions& dev = {},
      const std::function<bool()>& stop = [] { return false; }) {
    std::optional<std::filesystem::path> best;
    dist::run_ranks(1, [&](dist::Communicator& comm) {
      const TrainHost host{.comm = comm,
                           .model = model,
                           .folder = folder_,
                           .keeps_best = dev.load_best,
                           .facts = {{"seed", 7}},
                           .stop_requested = stop};
      best = train(task, keys, dev, host);
    });
    return best;
  }

  std::vector<Json> lines() const {
    std::vector<Json> lines;
    std::ifstream file(folder_ / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
    return lines;
  }
};

TEST_F(TrainerTest, EveryStepIsAPassAnUpdateAndALine) {
  FakeModel model;
  FakeTask task;

  run(model, task, keys_of(3));

  EXPECT_EQ(model.steps, 3);
  EXPECT_EQ(model.changes, 3);
  EXPECT_THAT(task.asked, ElementsAre(0, 1, 2));
  ASSERT_EQ(lines().size(), 3U);
  const Json last = lines().back();
  EXPECT_EQ(last.at("step"), 3);
  EXPECT_EQ(last.at("epoch"), 1.5);
  EXPECT_EQ(last.at("computed_tokens"), 3);
  EXPECT_EQ(last.at("sums"), Json({1.0, 0.25}));
  EXPECT_EQ(lines().front().at("loss"), 8.0);
  EXPECT_LT(last.at("loss"), 8.0);
  EXPECT_THAT(checkpoints(), ElementsAre("step-00000003"));
}

TEST_F(TrainerTest, SavesEverySaveStepsAndAtTheEnd) {
  FakeModel model;
  FakeTask task;
  TrainKeys keys = keys_of(5, 2);

  run(model, task, keys);

  EXPECT_THAT(checkpoints(), ElementsAre("step-00000002", "step-00000004", "step-00000005"));
}

TEST_F(TrainerTest, ARunThatGoesOnEqualsOneThatNeverStopped) {
  FakeModel whole, first, second;
  FakeTask task;
  run(whole, task, keys_of(4));
  std::filesystem::remove_all(folder_ / "checkpoints");

  run(first, task, keys_of(2));
  run(second, task, keys_of(4));

  EXPECT_TRUE(at::equal(second.master(), whole.master()));
  EXPECT_EQ(second.steps, 2);
}

TEST_F(TrainerTest, AStopRequestSavesAndEndsAtTheStepsEdge) {
  FakeModel model;
  FakeTask task;

  const auto act = [&] { run(model, task, keys_of(9), {}, [&] { return model.steps == 2; }); };

  try {
    act();
    ADD_FAILURE() << "no error";
  } catch (const StopRequested& error) {
    EXPECT_THAT(error.what(), HasSubstr("stopped on request after step 2 of 9, checkpoint saved"));
  }
  EXPECT_THAT(checkpoints(), ElementsAre("step-00000002"));
}

TEST_F(TrainerTest, ARequestToSaveSavesOnceAndTrainingGoesOn) {
  FakeModel model;
  FakeTask task;
  const TrainKeys keys = keys_of(5, 4);
  bool asked = true;  // once before the first step, which does not count
  dist::run_ranks(1, [&](dist::Communicator& comm) {
    const TrainHost host{.comm = comm,
                         .model = model,
                         .folder = folder_,
                         .keeps_best = true,
                         .facts = Json::object(),
                         .save_requested = [&] {
                           if (model.steps == 2) return true;
                           return std::exchange(asked, false);
                         }};
    train(task, keys, {}, host);
  });

  EXPECT_THAT(checkpoints(), ElementsAre("step-00000002", "step-00000004", "step-00000005"));
  const Json on_request = read_json_file(folder_ / "checkpoints" / "step-00000002" / "state.json");
  EXPECT_FALSE(on_request.contains("score"));
  // Its losses count in the next one.
  const Json next = read_json_file(folder_ / "checkpoints" / "step-00000004" / "state.json");
  double sum = 0.0;
  for (const Json& line : lines())
    sum += line.at("step") <= 4 ? line.at("loss").get<double>() : 0.0;
  EXPECT_DOUBLE_EQ(next.at("score").get<double>(), sum / 4);
}

TEST_F(TrainerTest, ALossThatIsNoNumberLeavesTheStateUntouched) {
  FakeModel model, good;
  FakeTask task;
  model.bad_step = 3;
  run(good, task, keys_of(2));
  std::filesystem::remove_all(folder_ / "checkpoints");

  try {
    run(model, task, keys_of(5));
    ADD_FAILURE() << "no error";
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), HasSubstr("step 3: expected a finite loss and gradient norm, found"));
    EXPECT_EQ(error.exit_code(), ExitCode::kDiverged);
  }

  EXPECT_TRUE(at::equal(model.master(), good.master()));
  EXPECT_EQ(model.changes, 2);
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(TrainerTest, AGradientThatIsNotFiniteLeavesTheStateUntouched) {
  FakeModel model;
  FakeTask task;
  model.master()[0] = std::numeric_limits<float>::infinity();
  const at::Tensor before = model.master().clone();

  EXPECT_THROW(run(model, task, keys_of(5)), NumericError);

  EXPECT_TRUE(at::equal(model.master(), before));
}

TEST_F(TrainerTest, WhatIsNotFiniteOnOneRankEndsAllAtTheSameStep) {
  enum class Poison { kLoss, kGradient, kWeight };
  for (const Poison poison : {Poison::kLoss, Poison::kGradient, Poison::kWeight}) {
    std::vector<std::string> messages(3);
    std::filesystem::remove_all(folder_ / "checkpoints");
    dist::run_ranks(3, [&](dist::Communicator& comm) {
      FakeModel model;
      FakeTask task;
      const auto act = [&] {
        const TrainHost host{.comm = comm, .model = model, .folder = folder_};
        train(task, keys_of(5), {}, host);
      };
      if (comm.rank() == 1) {
        if (poison == Poison::kLoss) model.bad_step = 3;
        if (poison == Poison::kGradient) model.bad_gradient_step = 3;
        if (poison == Poison::kWeight) model.bad_weight_step = 3;
      }
      messages[static_cast<size_t>(comm.rank())] = test::message_of<NumericError>(act);
      EXPECT_EQ(model.steps, 3);
      EXPECT_EQ(model.changes, 2);
    });

    EXPECT_THAT(messages, Each(HasSubstr("step 3: expected a finite loss and gradient norm")));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "checkpoints"));
  }
}

TEST_F(TrainerTest, ALastStepThatLeavesWeightsThatAreNotFiniteSavesNothing) {
  for (const bool beside : {false, true}) {
    std::filesystem::remove_all(folder_ / "checkpoints");
    FakeModel good, model, later;
    FakeTask task;
    run(good, task, keys_of(2));
    TrainKeys keys = keys_of(3, beside ? 1 : 0);
    keys.learning_rate = std::numeric_limits<double>::max();

    const auto act = [&] { run(model, task, keys); };

    EXPECT_THAT(test::message_of<NumericError>(act),
                HasSubstr("checkpoint of step 3: master: weight: expected finite values, found "));
    EXPECT_THAT(checkpoints(), ElementsAre("step-00000002"));
    EXPECT_NO_THROW(run(later, task, keys_of(3)));
    EXPECT_EQ(later.steps, 1);
  }
}

/// What three copies that are trained for `steps` steps end with. After `flip_after` steps one bit
/// of the second one's master is flipped.
std::vector<std::string> train_copies(const std::filesystem::path& folder, const TrainKeys& keys,
                                      int64_t flip_after, std::vector<int64_t>& steps_done) {
  std::vector<std::string> ends(3);
  steps_done.assign(3, 0);
  dist::run_ranks(3, [&](dist::Communicator& comm) {
    const auto rank = static_cast<size_t>(comm.rank());
    FakeModel model;
    FakeTask task;
    const auto flip = [&] {
      const bool now = rank == 1 && model.steps == flip_after;
      if (now) model.master().view(at::kInt)[11].add_(1024);
      return false;
    };
    const TrainHost host{.comm = comm,
                         .model = model,
                         .folder = folder,
                         .compare_copies = 4,
                         .stop_requested = flip};
    ends[rank] = test::message_of<CopiesError>([&] { train(task, keys, {}, host); });
    steps_done[rank] = model.steps;
  });
  return ends;
}

TEST_F(TrainerTest, AFlippedBitInOneCopyIsFoundInSoManySteps) {
  for (const int64_t flip_after : {1, 2, 3, 4, 5}) {
    std::filesystem::remove_all(folder_ / "checkpoints");
    std::vector<int64_t> steps;

    const std::vector<std::string> ends = train_copies(folder_, keys_of(30), flip_after, steps);

    EXPECT_THAT(ends, Each(HasSubstr(": expected the same masters and moments in all 3 copies of "
                                     "the model, found shard 0 of rank 1 unlike that of ranks 0")));
    EXPECT_THAT(steps, Each(steps.front()));
    EXPECT_GT(steps.front(), flip_after);
    EXPECT_LE(steps.front(), flip_after + 4);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "checkpoints"));
  }
}

TEST_F(TrainerTest, CopiesThatDifferAreNotSaved) {
  for (const bool beside : {false, true}) {
    std::filesystem::remove_all(folder_ / "checkpoints");
    TrainKeys keys = keys_of(6, 2);
    keys.async_save = beside;
    std::vector<int64_t> steps;

    // The part that is looked at in step 4, the last before the save, does not hold the bit.
    const std::vector<std::string> ends = train_copies(folder_, keys, 4, steps);

    // Beside the steps, one of these may find it first.
    const std::string at = beside ? "step " : "checkpoint of step 4";
    EXPECT_THAT(ends, Each(AllOf(HasSubstr(at), HasSubstr(": expected the same masters and "
                                                          "moments in all 3 copies"))));
    // One that was begun beside the steps may leave its unfinished folder.
    EXPECT_THAT(checkpoints(), AllOf(Contains("step-00000002"), Not(Contains("step-00000004"))));
  }
}

TEST_F(TrainerTest, EqualCopiesGiveNoFalseAlarm) {
  std::vector<int64_t> steps;

  const std::vector<std::string> ends = train_copies(folder_, keys_of(400, 50), -1, steps);

  EXPECT_THAT(ends, Each("no error"));
  EXPECT_THAT(steps, Each(400));
}

TEST_F(TrainerTest, StopsEarlyWithoutABetterDevLossAndEndsWithTheBest) {
  FakeModel model;
  FakeTask task;
  task.dev_losses = {3.0, 1.0, 2.0, 2.5, 0.5};

  const auto best =
      run(model, task, keys_of(9, 1), {.eval_steps = 1, .patience = 2, .load_best = true});

  EXPECT_EQ(model.steps, 4);
  EXPECT_EQ(best, folder_ / "checkpoints" / "step-00000002");
  EXPECT_EQ(lines().at(1).at("eval_loss"), 1.0);
  EXPECT_EQ(lines().at(1).at("eval_sums"), Json({1.0, 0.25}));
}

TEST_F(TrainerTest, DevLossesOfTheFirstRunCountInTheSecond) {
  const DevOptions dev{.eval_steps = 1, .patience = 2};
  for (const bool has_log_only : {false, true}) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    FakeModel first, second;
    FakeTask task;
    task.dev_losses = {1.0, 2.0, 3.0, 4.0};
    run(first, task, keys_of(2, 1), dev);
    if (has_log_only) {  // as checkpoints were before they kept these losses
      std::filesystem::remove_all(folder_ / "checkpoints");
      FakeTask without;
      FakeModel again;
      const std::filesystem::path metrics = folder_ / "metrics.jsonl";
      std::filesystem::rename(metrics, folder_ / "kept");
      run(again, without, keys_of(2, 1));
      std::filesystem::rename(folder_ / "kept", metrics);
    }

    run(second, task, keys_of(9, 1), dev);

    EXPECT_EQ(second.steps, 1) << has_log_only;  // the third evaluation is the second stale one
  }
}

/// What two equal runs have in common: all of a line but times.
std::vector<Json> without_times(std::vector<Json> lines) {
  for (Json& line : lines) {
    for (const char* key : {"step_seconds", "tokens_per_second", "sol", "peak_bytes"})
      line.erase(key);
  }
  return lines;
}

TEST_F(TrainerTest, AStopWithinAnEvaluationIsHeardAndEvaluatedAgain) {
  const DevOptions dev{.eval_steps = 2, .load_best = true};
  for (const int64_t step : {2, 4, 6}) {  // a save is due after 3 and at the end
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    FakeModel whole, first, second;
    FakeTask task, broken, again;
    task.dev_losses = {2.0, 3.0, 4.0, 1.0, 1.5, 2.5, 9.0, 8.0, 7.0};
    task.dev_packs_made = broken.dev_packs_made = again.dev_packs_made = 3;
    const auto whole_best = run(whole, task, keys_of(6, 3), dev);
    const std::vector<Json> whole_lines = without_times(lines());
    const std::filesystem::path kept = folder_ / "kept";
    std::filesystem::rename(folder_ / "checkpoints", kept);
    std::filesystem::remove(folder_ / "metrics.jsonl");
    broken.dev_losses = task.dev_losses;

    const auto stops = [&] {
      run(first, broken, keys_of(6, 3), dev,
          [&] { return first.steps == step && broken.next_dev % 3 == 2; });
    };

    EXPECT_THAT(test::message_of<StopRequested>(stops),
                HasSubstr(concat("stopped on request after step ", step,
                                 " of 6, at batch 2 of 3 of "
                                 "the dev set, checkpoint saved in ")));
    EXPECT_EQ(std::ssize(lines()), step - 1);
    again.dev_losses.assign(task.dev_losses.begin() + 3 * (step / 2 - 1), task.dev_losses.end());
    const auto best = run(second, again, keys_of(6, 3), dev);

    EXPECT_EQ(second.steps, 6 - step);
    EXPECT_TRUE(at::equal(second.master(), whole.master()));
    EXPECT_EQ(without_times(lines()), whole_lines);
    EXPECT_EQ(best->filename(), whole_best->filename());
    for (const char* name : {"step-00000003", "step-00000006"}) {
      Json expected = read_json_file(kept / name / "state.json");
      EXPECT_EQ(read_json_file(folder_ / "checkpoints" / name / "state.json"), expected) << name;
    }
  }
}

TEST_F(TrainerTest, AHoleInTheCurveIsTold) {
  FakeModel first, second, third;
  FakeTask task;
  run(first, task, keys_of(4, 2));
  const auto warnings_of = [&](FakeModel& model, int64_t steps) {
    testing::internal::CaptureStderr();
    run(model, task, keys_of(steps, 2));
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(warnings_of(second, 6), testing::Not(testing::HasSubstr("hole")));
  std::ofstream(folder_ / "metrics.jsonl") << "{\"step\":1}\n";

  EXPECT_THAT(
      warnings_of(third, 8),
      testing::HasSubstr("metrics.jsonl: expected lines up to the checkpoint's step 6, found "
                         "them up to 1: the curve will have a hole"));
}

TEST_F(TrainerTest, ARankWithoutPacksTakesPartInEveryPass) {
  dist::run_ranks(2, [&](dist::Communicator& comm) {
    FakeModel model;
    FakeTask task;
    task.packs = comm.rank() == 0 ? 3 : 0;
    const TrainHost host{.comm = comm, .model = model, .folder = folder_};
    TrainKeys keys = keys_of(2);
    keys.learning_rate = 1e-30;

    train(task, keys, {}, host);

    EXPECT_EQ(model.passes, 6);
    EXPECT_EQ(model.last_passes, 2);
  });
  EXPECT_EQ(lines().back().at("computed_tokens"), 9);
  EXPECT_EQ(lines().back().at("sums"), Json({2.0, 0.5}));
}

TEST_F(TrainerTest, NoStepsStillLeaveACheckpoint) {
  FakeModel model;
  FakeTask task;

  run(model, task, keys_of(0));

  EXPECT_THAT(checkpoints(), ElementsAre("step-00000000"));
  EXPECT_TRUE(task.asked.empty());
}

}  // namespace
}  // namespace xkde::recipe
