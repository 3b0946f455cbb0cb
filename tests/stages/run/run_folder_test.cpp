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
using ::testing::ElementsAre;
using ::testing::HasSubstr;

RunFacts no_facts() {
  RunFacts facts;
  facts.versions = Json::object();
  return facts;
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

TEST(RunFolder, RunJsonNamesTheFoldersOfTheStages) {
  const test::TempFolder root;
  RunFolder(root.path()).write_start({}, no_facts(), {"02-sft", "01-evaluate"});

  const RunFolder again(root.path());

  ASSERT_TRUE(again.before().has_value());
  EXPECT_THAT(again.before()->stages, ElementsAre("02-sft", "01-evaluate"));
  EXPECT_EQ(again.before()->exit_reason, "interrupted");
}

TEST(RunFolder, ThatIsLeftRunningSaysAtTheNextStartThatItWasInterrupted) {
  const test::TempFolder root;
  Recipe recipe;
  recipe.run_name = "name";
  RunFolder(root.path()).write_start(recipe, no_facts(), {"01-sft"});
  ASSERT_EQ(read_json_file(root.path() / "run.json").at("exit_reason"), "running");

  testing::internal::CaptureStderr();
  RunFolder(root.path()).write_end("error: refused");

  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("the start before was interrupted, its process is gone"));
  const Json run = read_json_file(root.path() / "run.json");
  EXPECT_EQ(run.at("exit_reason"), "interrupted");
  EXPECT_EQ(run.at("run_name"), "name");
  EXPECT_EQ(run.at("stages"), Json({"01-sft"}));
}

TEST(RunFolder, KeepsTheTimeOfTheFirstStartUntilRunJsonIsSetAside) {
  const test::TempFolder root;
  const fs::path file = root.path() / "run.json";
  RunFolder(root.path()).write_start({}, no_facts());
  Json run = read_json_file(file);
  EXPECT_EQ(run.at("first_start"), run.at("start"));
  run["first_start"] = "2026-01-01T00:00:00Z";
  std::ofstream(file) << run;

  RunFolder(root.path()).write_start({}, no_facts());
  EXPECT_EQ(read_json_file(file).at("first_start"), "2026-01-01T00:00:00Z");

  RunFolder folder(root.path());
  fs::rename(file, root.path() / "run.json.old-1");
  folder.write_start({}, no_facts());
  run = read_json_file(file);
  EXPECT_EQ(run.at("first_start"), run.at("start"));
}

TEST(RunFolder, ThatNeverStartsLeavesWhatTheStartBeforeWrote) {
  const test::TempFolder root;
  {
    RunFolder first(root.path());
    EXPECT_FALSE(first.before().has_value());
    first.write_start({}, no_facts());
    first.write_end("done");
  }

  RunFolder(root.path()).write_end("error: refused");

  EXPECT_EQ(read_json_file(root.path() / "run.json").at("exit_reason"), "done");
}

}  // namespace
}  // namespace xkde::recipe
