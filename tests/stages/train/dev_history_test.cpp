#include "stages/train/dev_history.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stages/train/step_tally.h"

namespace xkde::recipe {
namespace {

using ::testing::ElementsAre;

TEST(DevHistory, CountsEvaluationsSinceTheBest) {
  EXPECT_EQ(DevHistory().stale(), 0);
  EXPECT_EQ(DevHistory({3.0, 1.0, 2.0, 1.0}).stale(), 2);
  EXPECT_EQ(DevHistory({3.0, 2.0, 1.0}).stale(), 0);
}

TEST(DevHistory, IsFoundInTheMetricsOfAnOlderRun) {
  const auto path = std::filesystem::temp_directory_path() / "dev_history_test.jsonl";
  std::ofstream(path) << "{\"step\": 1, \"loss\": 2.5}\n{\"step\": 2, \"eval_loss\": 0.75}\n"
                         "{\"step\": 4, \"eval_loss\": 0.5}\n";

  EXPECT_THAT(dev_losses_in(path), ElementsAre(0.75, 0.5));
  std::filesystem::remove(path);
  EXPECT_THAT(dev_losses_in(path), ElementsAre());
}

TEST(StepTally, JoinsRanksInTheirOrder) {
  StepTally first, second, third;
  first.loss = 1e16;
  second.loss = third.loss = 1.0;
  first.labels = 3;
  second.labels = 4;
  second.peak_bytes = 90;
  third.next_packs = 5;
  third.is_writing = true;
  second.num_sums = 1;
  second.sums[0] = 0.5;

  const StepTally all = joined(std::vector{first, second, third});

  EXPECT_EQ(all.loss, 1e16 + 1.0 + 1.0);
  EXPECT_EQ(all.labels, 7);
  EXPECT_EQ(all.peak_bytes, 90);
  EXPECT_EQ(all.next_packs, 5);
  EXPECT_TRUE(all.is_writing);
  EXPECT_FALSE(all.stop_requested);
  EXPECT_THAT(all.task_sums(), ElementsAre(0.5));
}

}  // namespace
}  // namespace xkde::recipe
