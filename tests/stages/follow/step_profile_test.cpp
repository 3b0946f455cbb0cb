#include "stages/follow/step_profile.h"

#include <chrono>
#include <fstream>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

/// Steps of two ranks, of which the first is slower, so that the second waits.
void train(int64_t steps, int64_t profiled, const std::filesystem::path& file) {
  dist::run_ranks(2, [&](dist::Communicator& comm) {
    StepProfile profile(profiled, file, comm);
    for (int64_t step = 1; step <= steps; ++step) {
      profile.begin_step(step);
      {
        const TraceSpan span(TraceLane::kCompute);
        std::this_thread::sleep_for(std::chrono::milliseconds(comm.rank() == 0 ? 30 : 5));
        comm.barrier();
      }
      profile.end_step();
    }
    profile.finish();
  });
}

/// Milliseconds of each lane by rank.
std::map<std::pair<int, std::string>, double> sums_of(const Json& trace) {
  std::map<std::pair<int, std::string>, double> sums;
  for (const Json& event : trace.at("traceEvents")) {
    if (event.at("ph") == "X")
      sums[{event.at("pid"), event.at("cat")}] += event.at("dur").get<double>() / 1e3;
  }
  return sums;
}

TEST(StepProfile, HasTheStepsBehindTheFirstOfAllRanks) {
  const test::TempFolder root;
  const std::filesystem::path file = root.path() / "trace.json";
  train(5, 2, file);
  const Json trace = read_json_file(file);
  std::vector<std::string> steps;
  for (const Json& event : trace.at("traceEvents")) {
    if (event.at("ph") == "X" && event.at("cat") == "step") steps.push_back(event.at("name"));
  }
  EXPECT_THAT(steps, testing::ElementsAre("step 2", "step 3", "step 2", "step 3"));
  auto sums = sums_of(trace);
  EXPECT_GT((sums[{1, "wait"}]), 30);  // of two steps, less what a busy machine takes
  EXPECT_LT((sums[{0, "wait"}]), (sums[{1, "wait"}]));
  for (const int rank : {0, 1}) {
    const double parts = sums[{rank, "compute"}] + sums[{rank, "wait"}];
    EXPECT_NEAR(parts, (sums[{rank, "step"}]), 0.1 * parts);
  }
  EXPECT_FALSE(std::filesystem::exists(file.string() + ".parts"));
}

TEST(StepProfile, OfAShorterTrainingHasWhatThereWas) {
  const test::TempFolder root;
  train(2, 10, root.path() / "trace.json");
  EXPECT_GT(read_json_file(root.path() / "trace.json").at("traceEvents").size(), 2U);
}

TEST(StepProfile, WithoutAStepToTraceWritesNone) {
  const test::TempFolder root;
  train(1, 10, root.path() / "one.json");
  train(3, 0, root.path() / "none.json");
  EXPECT_TRUE(std::filesystem::is_empty(root.path()));
}

TEST(StepProfile, ThatCannotBeWrittenEndsNoTraining) {
  const test::TempFolder root;
  root.write("file", "");
  train(3, 1, root.path() / "file/trace.json");
  EXPECT_EQ(text_of_file(root.path() / "file"), "");
}

}  // namespace
}  // namespace xkde::recipe
