#include "stages/report/cost_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde::report {
namespace {

using testing::HasSubstr;

RunResults run_of(Json cost) {
  RunResults run;
  run.name = "r";
  run.evaluations.push_back(
      {.stage = "02-evaluate", .label = "XE-IT", .cost = std::move(cost), .rows = {}});
  return run;
}

Json cost() {
  return {{"ranks", 2},
          {"threads", 1},
          {"edits", 10},
          {"questions", 40},
          {"state_bytes", 1500000},
          {"peak_bytes", 2000000000},
          {"answers", Json::object()},
          {"preparation_seconds", 0.5},
          {"seconds_per_edit", 0.05},
          {"seconds_per_question", 0.0125}};
}

TEST(CostTable, ShowsMillisecondsAndMegabytes) {
  const RunResults run = run_of(cost());

  EXPECT_EQ(aligned(cost_grid(std::span(&run, 1))),
            "evaluation          ranks  threads  edits  questions  preparation, s  an edit, ms  "
            "a question, ms  state, MB  peak, GB\n"
            "02-evaluate: XE-IT      2        1     10         40             0.5           50  "
            "          12.5        1.5         2\n");
}

TEST(CostTable, WritesSecondsAndBytes) {
  const RunResults run = run_of(cost());

  EXPECT_THAT(cost_csv(std::span(&run, 1)),
              HasSubstr("r,02-evaluate,XE-IT,2,1,10,40,0.5,0.05,0.0125,1500000,2000000000\r\n"));
}

TEST(CostTable, HasNoLineForWhatSaysNothing) {
  const RunResults run = run_of(nullptr);

  EXPECT_EQ(cost_grid(std::span(&run, 1)).size(), 1U);
}

TEST(CostTable, AnotherObjectIsADataErrorThatNamesTheStage) {
  const RunResults run = run_of({{"ranks", "two"}});

  try {
    cost_grid(std::span(&run, 1));
    FAIL() << "expected a DataError";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("02-evaluate/cost.json"));
  }
}

}  // namespace
}  // namespace xkde::report
