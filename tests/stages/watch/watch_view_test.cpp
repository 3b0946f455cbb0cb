#include "stages/watch/watch_view.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text/regex/unicode.h"

namespace xkde::recipe {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

RunProgress trained() {
  StageProgress built{.folder = "01-build_data", .is_done = true};
  StageProgress sft{.folder = "02-sft", .done = 40, .total = 120};
  for (int step = 1; step <= 40; ++step) {
    sft.series["loss"].emplace_back(step, 4.0 - 0.05 * step);
    sft.series["tokens_per_second"].emplace_back(step, 250 + step % 3);
  }
  sft.seconds_left = 75.0;
  return {.name = "my run",
          .state = "running",
          .start = "2026-11-30T00:00:00Z",
          .ranks = 2,
          .stages = {built, sft, {.folder = "03-evaluate"}}};
}

TEST(WatchView, ShowsStagesCurvesAndTheTimeLeft) {
  const std::vector<std::string> lines = watch_view(trained(), {.columns = 80});

  EXPECT_EQ(lines[0], "my run  running  since 2026-11-30T00:00:00Z  2 ranks");
  EXPECT_THAT(lines[1], StartsWith("01-build_data  done"));
  EXPECT_EQ(lines[2], "02-sft         runs  [==========                    ] 40/120  left 1:15");
  EXPECT_THAT(lines[3], StartsWith("03-evaluate    waits"));
  EXPECT_THAT(lines, Contains("02-sft: loss, now 2, steps 1 to 40"));
  EXPECT_THAT(lines, Contains(StartsWith("      3.95 ⠉⠉⠉⠑⠒")));
  EXPECT_THAT(lines, Contains(StartsWith("02-sft: tokens/s, now 251")));
}

TEST(WatchView, FitsAnyTerminal) {
  RunProgress run = trained();
  run.name.assign(300, 'x');
  run.name += "ünï";
  run.stages[1].seconds_silent = 1e5;
  run.stages[1].ranks[0] = {.chunks = 3, .seconds = 2.0};
  run.note = "it ended without a word, and last wrote at 2026-11-30T00:09:00Z";
  for (const char* state : {"running", "done", "error: a long reason\nwith a line break"}) {
    run.state = state;
    for (int64_t columns = 1; columns <= 200; ++columns) {
      for (const std::string& line : watch_view(run, {.columns = columns})) {
        EXPECT_LE(static_cast<int64_t>(unicode::length(line)), columns) << line;
        EXPECT_THAT(line, Not(HasSubstr("\n")));
      }
    }
  }
}

TEST(WatchView, HasColoursOnlyWhereTheyAreWanted) {
  EXPECT_THAT(watch_view(trained(), {.columns = 80}), testing::Each(Not(HasSubstr("\033"))));
  EXPECT_THAT(watch_view(trained(), {.columns = 80, .colours = true}),
              Contains(AllOf(HasSubstr("\033[32mdone\033[0m"), HasSubstr("01-build_data"))));
}

TEST(WatchView, SaysWhereARunEnded) {
  RunProgress run = trained();
  run.state = "interrupted";

  const std::vector<std::string> lines = watch_view(run, {.columns = 80});

  EXPECT_THAT(lines[0], HasSubstr("interrupted"));
  EXPECT_THAT(lines[2], AllOf(HasSubstr("ends here"), HasSubstr("40/120"), Not(HasSubstr("left"))));
}

TEST(WatchView, SaysWhatIsKnownOfARunThatEndedWithoutAWord) {
  RunProgress run = trained();
  run.note = "it ended without a word, and last wrote at 2026-11-30T00:09:00Z";

  EXPECT_EQ(watch_view(run, {.columns = 80})[1], run.note);
}

TEST(WatchView, SaysThatNothingCame) {
  RunProgress run = trained();
  run.stages[1].seconds_silent = 90.0;

  EXPECT_THAT(watch_view(run, {.columns = 100})[2], HasSubstr("silent for 1:30"));
}

TEST(WatchView, ShowsWhatRanksHaveDone) {
  RunProgress run = trained();
  run.stages[1].is_done = true;
  run.stages[2].done = 5;
  run.stages[2].total = 9;
  run.stages[2].ranks = {{0, {3, 61.0}}, {1, {2, 59.0}}};

  const std::vector<std::string> lines = watch_view(run, {.columns = 80});

  EXPECT_THAT(lines, Contains("03-evaluate: rank 0: 3 chunks in 1:01"));
  EXPECT_THAT(lines, Contains("03-evaluate: rank 1: 2 chunks in 0:59"));
}

}  // namespace
}  // namespace xkde::recipe
