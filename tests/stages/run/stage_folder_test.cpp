#include "stages/run/stage_folder.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The folder of one stage, which is not there at first.
class StageFolder : public ::testing::Test {
 protected:
  test::TempFolder root_;
  fs::path path_ = root_.path() / "run" / "01-sft";
  Fingerprint print_ = make_fingerprint({{"sft.max_steps", 3}, {"seed", 1e-5}});
};

TEST_F(StageFolder, KeepsItsFingerprint) {
  EXPECT_FALSE(fingerprint_in(path_).has_value());
  open_stage_folder(path_, print_);

  const auto kept = fingerprint_in(path_);

  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->id, print_.id);
  EXPECT_EQ(kept->covers, print_.covers);
  EXPECT_NE(make_fingerprint({{"sft.max_steps", 4}, {"seed", 1e-5}}).id, print_.id);
}

TEST_F(StageFolder, OfAnEarlierVersionOrDamagedHasNone) {
  fs::create_directories(path_);
  for (const char* text :
       {"0123abcd", "{}", R"({"id": 1, "covers": {}})", R"({"id": "1", "covers": 2})"}) {
    std::ofstream(path_ / "FINGERPRINT") << text;
    EXPECT_FALSE(fingerprint_in(path_).has_value()) << text;
  }
}

TEST_F(StageFolder, IsDoneWhenTheStageFinished) {
  open_stage_folder(path_, print_);
  EXPECT_FALSE(is_done(path_));

  finish_stage_folder(path_, print_);
  EXPECT_TRUE(is_done(path_));
  EXPECT_EQ(text_of_file(path_ / "DONE"), print_.id + "\n");
}

TEST_F(StageFolder, WhereNobodyCanLookIsNotUnfinished) {
  fs::create_directories(path_);
  fs::create_symlink("DONE", path_ / "DONE");  // a loop

  EXPECT_THAT(test::message_of<IoError>([&] { is_done(path_); }),
              HasSubstr("DONE: expected to find out whether it is there, found Too many levels"));
}

TEST_F(StageFolder, HoldsWorkWhenItHasMoreThanMarks) {
  EXPECT_FALSE(holds_work(path_));
  open_stage_folder(path_, print_);
  finish_stage_folder(path_, print_);
  std::ofstream(path_ / "FINGERPRINT.tmp12") << "cut";
  EXPECT_FALSE(holds_work(path_));

  std::ofstream(path_ / "DONE.txt") << "mine";
  EXPECT_TRUE(holds_work(path_));
}

TEST_F(StageFolder, KeepsItsFilesWhenOpenedAgain) {
  open_stage_folder(path_, print_);
  std::ofstream(path_ / "metrics.jsonl") << "{}";

  open_stage_folder(path_, print_);

  EXPECT_TRUE(fs::exists(path_ / "metrics.jsonl"));
}

TEST_F(StageFolder, IsTakenByAnotherStageOnlyWhileItHoldsNoWork) {
  open_stage_folder(path_, print_);
  finish_stage_folder(path_, print_);
  const Fingerprint other = make_fingerprint({{"sft.max_steps", 4}});

  open_stage_folder(path_, other);
  EXPECT_EQ(fingerprint_in(path_)->id, other.id);
  EXPECT_FALSE(is_done(path_));

  std::ofstream(path_ / "metrics.jsonl") << "{}";
  EXPECT_THAT(
      test::message_of<InternalError>([&] { open_stage_folder(path_, print_); }),
      HasSubstr("01-sft: expected a folder of its own for a new stage, found one with files"));
  EXPECT_TRUE(fs::exists(path_ / "metrics.jsonl"));
}

TEST_F(StageFolder, AreFoundByTheNameOfTheStageInTheOrderOfTheirNumbers) {
  for (const char* name :
       {"10-sft", "02-sft", "100-sft", "3-sft", "02-sft.old-1", "03-orpo", "x-sft"})
    fs::create_directories(root_.path() / "run" / name);
  root_.write("run/04-sft", "a file");

  EXPECT_THAT(stage_folders_of(root_.path() / "run", "sft"),
              ElementsAre("02-sft", "10-sft", "100-sft"));
}

}  // namespace
}  // namespace xkde::recipe
