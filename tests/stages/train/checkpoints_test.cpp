#include "stages/train/checkpoints.h"

#include <fstream>
#include <limits>

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/stages/train/fake_training.h"
#include "tests/support/message_of.h"

namespace xkde::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TrainCheckpointsTest : public TrainingTest {
 protected:
  using Body = std::function<void(TrainCheckpoints&, FakeModel&, AdamW&)>;
  void with(TrainCheckpointOptions options, const Body& body) {
    options.stage = "fake";
    options.root = folder_ / "checkpoints";
    dist::run_ranks(1, [&](dist::Communicator& comm) {
      FakeModel model;
      AdamW optimizer(model.layout().state_numel, {}, model.decay_ranges());
      TrainCheckpoints checkpoints(options, model, optimizer, comm);
      body(checkpoints, model, optimizer);
    });
  }
  Json state_json(const std::string& name) const {
    std::ifstream file(folder_ / "checkpoints" / name / "state.json");
    return Json::parse(file);
  }
};

TEST_F(TrainCheckpointsTest, ResumingGivesBackWhatWasSaved) {
  for (const bool beside : {false, true}) {
    with({.beside_steps = beside},
         [](TrainCheckpoints& checkpoints, FakeModel& model, AdamW& adam) {
           model.master().fill_(0.5);
           adam.state().at(1).second.fill_(3.0);
           adam.set_steps_done(4);
           checkpoints.save({.step = 4, .epoch = 2, .dev_losses = std::vector<double>{0.1, 0.7}});
           checkpoints.finish();
         });

    with({}, [](TrainCheckpoints& checkpoints, FakeModel& model, AdamW& adam) {
      const TrainPoint point = checkpoints.resume();

      EXPECT_EQ(point.step, 4);
      EXPECT_THAT(*point.dev_losses, ElementsAre(0.1, 0.7));
      EXPECT_EQ(adam.steps_done(), 4);
      EXPECT_TRUE(at::equal(model.master(), at::full_like(model.master(), 0.5)));
      EXPECT_TRUE(at::equal(adam.state().at(1).second, at::full_like(model.master(), 3.0)));
      EXPECT_EQ(model.changes, 1);
    });
    std::filesystem::remove_all(folder_ / "checkpoints");
  }
}

TEST_F(TrainCheckpointsTest, StartsFromNothingWithoutACheckpointOrWhereItMayNotResume) {
  with({}, [](TrainCheckpoints& checkpoints, FakeModel& model, AdamW&) {
    EXPECT_EQ(checkpoints.resume().step, 0);
    EXPECT_EQ(model.changes, 0);
    checkpoints.save({.step = 1});
  });

  with({.resumes = false}, [](TrainCheckpoints& checkpoints, FakeModel&, AdamW&) {
    EXPECT_EQ(checkpoints.resume().step, 0);
  });
}

TEST_F(TrainCheckpointsTest, AStateThatIsNotFiniteIsNeverSaved) {
  for (const bool beside : {false, true}) {
    for (const size_t bad : {size_t{0}, size_t{1}}) {
      const auto act = [&] {
        with({.beside_steps = beside}, [&](TrainCheckpoints& checkpoints, FakeModel&, AdamW& adam) {
          checkpoints.save({.step = 1});
          {
            const auto guard = checkpoints.begin_update();
            adam.state().at(bad).second[7] = std::numeric_limits<float>::quiet_NaN();
          }
          checkpoints.save({.step = 2});
          checkpoints.finish();
        });
      };

      EXPECT_THAT(
          test::message_of<NumericError>(act),
          HasSubstr(bad == 0 ? "checkpoint of step 2: exp_avg: weight: expected finite"
                             : "checkpoint of step 2: exp_avg_sq: weight: expected finite"));
      EXPECT_THAT(checkpoints(), ElementsAre("step-00000001"));
      std::filesystem::remove_all(folder_ / "checkpoints");
    }
  }
}

TEST_F(TrainCheckpointsTest, StateJsonHoldsTheRunsFactsAndItsPlace) {
  with({.facts = {{"seed", 7}}}, [](TrainCheckpoints& checkpoints, FakeModel&, AdamW& adam) {
    adam.set_steps_done(3);
    checkpoints.save({.step = 3, .epoch = 1, .position = 1});
  });

  EXPECT_EQ(state_json("step-00000003").dump(),
            R"({"step":3,"epoch":1,"position":1,"optimizer_steps":3,"seed":7})");
}

TEST_F(TrainCheckpointsTest, TheScoreIsTheDevLossOrElseTheMeanLossSinceTheLastSave) {
  with({.keeps_best = true}, [this](TrainCheckpoints& checkpoints, FakeModel&, AdamW&) {
    checkpoints.add_loss(1.0);
    checkpoints.add_loss(2.0);
    checkpoints.save({.step = 1});
    checkpoints.add_loss(9.0);
    checkpoints.set_score(0.25);
    checkpoints.save({.step = 2});
    checkpoints.add_loss(4.0);
    checkpoints.save({.step = 3});

    EXPECT_EQ(checkpoints.best(), folder_ / "checkpoints" / "step-00000002");
  });

  EXPECT_EQ(state_json("step-00000001").at("score"), 1.5);
  EXPECT_EQ(state_json("step-00000003").at("score"), 4.0);
}

TEST_F(TrainCheckpointsTest, AnUpdateInvalidatesTheGatheredWeightsWhenItEnds) {
  with({}, [](TrainCheckpoints& checkpoints, FakeModel& model, AdamW&) {
    {
      const auto guard = checkpoints.begin_update();
      EXPECT_EQ(model.changes, 0);
    }
    EXPECT_EQ(model.changes, 1);
  });
}

TEST_F(TrainCheckpointsTest, TheBestOfNoneIsAnError) {
  with({.keeps_best = true}, [](TrainCheckpoints& checkpoints, FakeModel&, AdamW&) {
    EXPECT_THROW(checkpoints.best(), CheckpointError);
  });
}

}  // namespace
}  // namespace xkde::recipe
