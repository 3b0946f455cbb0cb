#include "stages/watch/run_progress.h"

#include <chrono>
#include <fstream>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"
#include "stages/run/run_lock.h"
#include "stages/watch/run_state.h"
#include "tests/support/message_of.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

class RunProgressTest : public testing::Test {
 protected:
  RunProgressTest()
      : run_(fs::temp_directory_path() / ("xkde_watch_" + std::to_string(::getpid()))) {
    fs::remove_all(run_);
    fs::create_directories(run_ / "01-sft");
    write("run.json",
          R"({"run_name": "r", "exit_reason": "running", "start": "2026-11-30T00:00:00Z",
              "ranks": 2, "stages": ["01-sft", "02-evaluate", "03-export"]})");
    lock_.emplace(run_);
  }
  ~RunProgressTest() override {
    lock_.reset();
    fs::remove_all(run_);
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(run_ / name) << text;
  }
  void append(const std::string& name, const std::string& text) const {
    std::ofstream(run_ / name, std::ios::app) << text;
  }

  fs::path run_;
  std::optional<RunLock> lock_;  ///< of the run that goes on
};

constexpr const char* kTwoSteps =
    "{\"step\": 1, \"total_steps\": 10, \"loss\": 3.5, \"step_seconds\": 2.0}\n"
    "{\"step\": 2, \"total_steps\": 10, \"loss\": 2.5, \"step_seconds\": 4.0}\n";

TEST_F(RunProgressTest, JudgesTheTimeThatTrainingTakes) {
  write("01-sft/metrics.jsonl", kTwoSteps);

  const RunProgress run = ProgressReader(run_).read();

  EXPECT_EQ(run.state, "running");
  EXPECT_EQ(run.note, "");
  ASSERT_EQ(run.stages.size(), 3U);
  const StageProgress& sft = run.stages[0];
  EXPECT_EQ(run.current(), &sft);
  EXPECT_EQ(sft.done, 2);
  EXPECT_EQ(sft.total, 10);
  EXPECT_EQ(sft.series.at("loss").back(), std::make_pair(2.0, 2.5));
  EXPECT_EQ(sft.series.count("total_steps"), 0U);
  EXPECT_DOUBLE_EQ(sft.seconds_left.value_or(0), 8 * 3.0);
  EXPECT_LT(sft.seconds_silent.value_or(1e9), 600.0);
}

TEST_F(RunProgressTest, GoesOnWhereItReadBefore) {
  write("01-sft/metrics.jsonl", kTwoSteps);
  ProgressReader reader(run_);
  reader.read();

  append("01-sft/metrics.jsonl",
         "{\"step\": 3, \"loss\": 1.5, \"step_seconds\": 3.0}\n{\"step\": 4");
  EXPECT_EQ(reader.read().stages[0].done, 3);
  append("01-sft/metrics.jsonl", ", \"loss\": 1.0, \"step_seconds\": 3.0}\n");

  const RunProgress run = reader.read();
  EXPECT_EQ(run.stages[0].done, 4);
  EXPECT_EQ(run.stages[0].series.at("loss").size(), 4U);
}

TEST_F(RunProgressTest, BeginsAnewWhereARestartHasCutTheFile) {
  write("01-sft/metrics.jsonl", kTwoSteps);
  ProgressReader reader(run_);
  reader.read();

  write("01-sft/metrics.jsonl", "{\"step\": 1, \"total_steps\": 10, \"loss\": 3.5}\n");

  const RunProgress run = reader.read();
  EXPECT_EQ(run.stages[0].done, 1);
  EXPECT_EQ(run.stages[0].series.at("loss").size(), 1U);
}

TEST_F(RunProgressTest, CountsWhatEachRankHasDone) {
  fs::create_directories(run_ / "02-evaluate");
  write("01-sft/DONE", "");
  write("02-evaluate/metrics.jsonl",
        "{\"chunk\": 0, \"chunks\": 8, \"rank\": 0, \"seconds\": 2.0}\n"
        "{\"chunk\": 1, \"chunks\": 8, \"rank\": 1, \"seconds\": 3.0}\n"
        "{\"chunk\": 2, \"chunks\": 8, \"rank\": 0, \"seconds\": 1.0}\n");

  const RunProgress run = ProgressReader(run_).read();

  const StageProgress& evaluate = run.stages[1];
  EXPECT_TRUE(run.stages[0].is_done);
  EXPECT_EQ(run.current(), &evaluate);
  EXPECT_EQ(evaluate.done, 3);
  EXPECT_EQ(evaluate.total, 8);
  EXPECT_EQ(evaluate.ranks.at(0).chunks, 2);
  EXPECT_DOUBLE_EQ(evaluate.ranks.at(1).seconds, 3.0);
  // Two a chunk, five chunks, two ranks.
  EXPECT_DOUBLE_EQ(evaluate.seconds_left.value_or(0), 5.0);
}

TEST_F(RunProgressTest, ReadsAFolderThatIsHalfThere) {
  fs::remove_all(run_ / "01-sft");

  const RunProgress run = ProgressReader(run_).read();

  EXPECT_EQ(run.stages[0].done, 0);
  EXPECT_FALSE(run.stages[0].seconds_left.has_value());
}

TEST_F(RunProgressTest, ARunWhoseLockIsFreeHasEndedWithoutAWord) {
  write("01-sft/metrics.jsonl", kTwoSteps);
  lock_.reset();
  const std::chrono::sys_seconds third_hour =
      std::chrono::sys_days(std::chrono::year(2200) / 1 / 2) + std::chrono::hours(3);
  const auto written = std::chrono::file_clock::from_sys(third_hour);
  fs::last_write_time(run_ / "01-sft/metrics.jsonl", written);

  const RunProgress run = ProgressReader(run_).read();

  EXPECT_EQ(run.state, "interrupted");
  EXPECT_EQ(run.note, "it ended without a word, and last wrote at 2200-01-02T03:00:00Z");
  // Only the next start writes so.
  EXPECT_EQ(read_run_record(run_)->exit_reason, "running");
}

TEST_F(RunProgressTest, ARunThatCannotBeSeenFromHereIsSaidToRun) {
  const FolderUse use{
      FolderUse::kNotSeen,
      ProcessIdentity{
          .host = "b", .boot = "2", .process = 7, .started = 5, .since = "noon", .job = ""}};

  EXPECT_THAT(note_on(use, run_, *read_run_record(run_)),
              testing::StartsWith("process 7 on b is not seen from here; it last wrote at 2"));
  EXPECT_THAT(note_on({FolderUse::kNotSeen, std::nullopt}, run_, *read_run_record(run_)),
              testing::StartsWith("its process is not seen from here; it last wrote at 2"));
}

TEST_F(RunProgressTest, ARunThatEndedAsItShouldHasNoNote) {
  write("run.json", R"({"run_name": "r", "exit_reason": "done", "stages": []})");
  lock_.reset();

  const RunProgress run = ProgressReader(run_).read();

  EXPECT_EQ(run.state, "done");
  EXPECT_EQ(run.note, "");
}

TEST_F(RunProgressTest, AFolderThatIsNoRunsIsNamed) {
  fs::remove(run_ / "run.json");

  EXPECT_EQ(test::message_of<MissingInputError>([&] { ProgressReader(run_).read(); }),
            run_.string() + ": expected the folder of a run, found no run.json in it");
}

}  // namespace
}  // namespace xkde::recipe
