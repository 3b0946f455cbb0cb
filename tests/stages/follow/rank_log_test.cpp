#include "stages/follow/rank_log.h"

#include <fstream>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/log.h"
#include "core/io/file.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

using testing::HasSubstr;

/// The lines of a file without their times, which must be there.
std::vector<std::string> timed_lines(const std::filesystem::path& file) {
  const std::regex time(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (.*))");
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::smatch parts;
    lines.push_back(std::regex_match(line, parts, time) ? parts[1].str() : "no time: " + line);
  }
  return lines;
}

TEST(RankLog, AddsLinesWithTheirTimesFromStartToStart) {
  const test::TempFolder root;
  const std::filesystem::path file = root.path() / "logs/rank-00000.log";
  EXPECT_EQ(RankLog(file).write("one"), "");
  EXPECT_EQ(RankLog(file).write("two\nlines"), "");
  EXPECT_THAT(timed_lines(file), testing::ElementsAre("one", "two lines"));
}

TEST(RankLog, LeavesWhatAKillCutShortALineOfItsOwn) {
  const test::TempFolder root;
  const std::filesystem::path file = root.write("log", "2026-01-01T00:00:00.000Z to");
  RankLog(file).write("next");
  EXPECT_THAT(timed_lines(file), testing::ElementsAre("to", "next"));
}

TEST(RankLog, StaysWithinItsLimit) {
  const test::TempFolder root;
  const std::filesystem::path file = root.path() / "log";
  RankLog log(file, 1000);
  for (int i = 0; i < 100; ++i) log.write("line " + std::to_string(i));
  EXPECT_LE(std::filesystem::file_size(file), 1000U);
  const std::vector<std::string> old = timed_lines(file.string() + ".old");
  const std::vector<std::string> lines = timed_lines(file);
  EXPECT_EQ(lines.back(), "line 99");
  ASSERT_FALSE(old.empty());
  EXPECT_EQ(lines.front(), "line " + std::to_string(100 - std::ssize(lines)));
  EXPECT_EQ(old.back(), "line " + std::to_string(99 - std::ssize(lines)));
}

TEST(RankLog, SaysOnceThatADiskIsFull) {
  const test::TempFolder root;
  const std::filesystem::path file = root.path() / "log";
  std::filesystem::create_symlink("/dev/full", file);
  RankLog log(file);
  EXPECT_THAT(log.write("one"), HasSubstr("; the run goes on, lines of its log are lost"));
  EXPECT_EQ(log.write("two"), "");
}

TEST(RankLog, SaysOnceThatItsFolderIsNone) {
  const test::TempFolder root;
  root.write("logs", "a file");
  RankLog log(root.path() / "logs/rank-00000.log");
  EXPECT_THAT(log.write("one"), HasSubstr("logs: expected to create a folder"));
  EXPECT_EQ(log.write("two"), "");
}

TEST(RankLogFile, HasTheRanksNumber) {
  EXPECT_EQ(rank_log_file("runs/a", 3), "runs/a/logs/rank-00003.log");
}

TEST(Copy, GetsWhatOnlyRankZeroPrints) {
  std::vector<std::string> lines;
  log::set_rank(1, 2);
  log::copy_to([&lines](std::string_view line) {
    lines.emplace_back(line);
    return "";
  });
  log::info("stage starts");
  log::note("for the copy");
  log::warning("slow");
  log::copy_to(nullptr);
  log::set_rank(0, 1);
  log::note("nobody hears this");
  EXPECT_THAT(lines, testing::ElementsAre("stage starts", "for the copy", "warning: slow"));
}

}  // namespace
}  // namespace xkde::recipe
