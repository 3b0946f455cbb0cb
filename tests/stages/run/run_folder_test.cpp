#include "stages/run/run_folder.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(RunFolder, StageFoldersSortInTheOrderOfTheStages) {
  EXPECT_EQ(stage_folder_name(0, "build_data"), "01-build_data");
  EXPECT_EQ(stage_folder_name(8, "sft"), "09-sft");
  EXPECT_EQ(stage_folder_name(9, "sft"), "10-sft");
  EXPECT_EQ(stage_folder_name(99, "evaluate"), "100-evaluate");
}

/// The folder of one stage, which is not there at first.
class StageFolder : public ::testing::Test {
 protected:
  test::TempFolder root_;
  fs::path path_ = root_.path() / "run" / "01-sft";
};

TEST_F(StageFolder, OfAStageThatNeverRanIsFreshAndNotMade) {
  EXPECT_EQ(stage_state(path_, "print"), StageState::kFresh);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(StageFolder, OnceOpenedIsStartedUntilTheStageFinishes) {
  open_stage_folder(path_, "print");
  EXPECT_EQ(stage_state(path_, "print"), StageState::kStarted);

  finish_stage_folder(path_, "print");
  EXPECT_EQ(stage_state(path_, "print"), StageState::kDone);
}

TEST_F(StageFolder, KeepsItsFilesWhenOpenedAgain) {
  open_stage_folder(path_, "print");
  std::ofstream(path_ / "metrics.jsonl") << "{}";

  open_stage_folder(path_, "print");

  EXPECT_TRUE(fs::exists(path_ / "metrics.jsonl"));
}

TEST_F(StageFolder, WithAnotherFingerprintIsFreshAndEmptiedOnlyWhenOpened) {
  open_stage_folder(path_, "print");
  std::ofstream(path_ / "metrics.jsonl") << "{}";
  finish_stage_folder(path_, "print");

  EXPECT_EQ(stage_state(path_, "other"), StageState::kFresh);
  EXPECT_TRUE(fs::exists(path_ / "metrics.jsonl"));
  EXPECT_EQ(stage_state(path_, "print"), StageState::kDone);

  open_stage_folder(path_, "other");
  EXPECT_FALSE(fs::exists(path_ / "metrics.jsonl"));
  EXPECT_FALSE(fs::exists(path_ / "DONE"));
  EXPECT_EQ(stage_state(path_, "other"), StageState::kStarted);
}

TEST_F(StageFolder, WithoutAFingerprintIsFreshEvenWhenItSaysDone) {
  fs::create_directories(path_);
  std::ofstream(path_ / "DONE") << "print\n";

  EXPECT_EQ(stage_state(path_, "print"), StageState::kFresh);
}

TEST(RunFolder, IsForOneRunAtATime) {
  const test::TempFolder root;
  const RunFolder first(root.path() / "run");

  EXPECT_THAT(test::message_of<ConfigError>([&] { RunFolder(root.path() / "run"); }),
              HasSubstr("expected a folder that no other run writes to, found one in use"));
}

TEST(RunFolder, IsFreeAgainAfterTheRun) {
  const test::TempFolder root;
  { const RunFolder first(root.path() / "run"); }

  EXPECT_NO_THROW(RunFolder(root.path() / "run"));
}

TEST(RunFolder, RunJsonTellsInputsAndHowTheRunEnded) {
  const test::TempFolder root;
  RunFolder folder(root.path());
  Recipe recipe;
  recipe.run_name = "name";
  recipe.seed = 7;

  folder.write_start(recipe, {{"xkde_dist", "r.yaml"}, {"here", "here"}, "mpi", Json::object()});
  EXPECT_EQ(read_json_file(root.path() / "run.json").at("exit_reason"), "running");
  folder.add_inputs({{"b", "22"}, {"a", "11"}});
  folder.write_end("done");

  const Json run = read_json_file(root.path() / "run.json");
  EXPECT_EQ(run.at("run_name"), "name");
  EXPECT_EQ(run.at("seed"), 7);
  EXPECT_EQ(run.at("ranks"), 2);
  EXPECT_EQ(run.at("inputs").dump(), R"({"a":"11","b":"22"})");
  EXPECT_EQ(run.at("exit_reason"), "done");
  EXPECT_TRUE(run.at("end").is_string());
}

}  // namespace
}  // namespace xkde::recipe
