#include "core/io/pace.h"

#include <functional>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

#include "core/base/stopwatch.h"

namespace xkde {
namespace {

// Far more than it takes to not rest on a busy machine, far less than the rests that are asked for.
constexpr double kNoRest = 20;

double seconds_of(const std::function<void()>& body) {
  const Stopwatch watch;
  body();
  return watch.seconds();
}

TEST(Pace, RestsNineTimesAsLongAsItWorkedForATenth) {
  Pace pace(0.1);

  const double rested = seconds_of([&] { pace.rest_after(0.005, {}); });

  EXPECT_GE(rested, 0.044);
  EXPECT_LT(seconds_of([] { Pace(1.0).rest_after(1000.0, {}); }), kNoRest);
}

TEST(Pace, HurryEndsARestAndAllThatFollow) {
  Pace pace(0.01);
  std::thread worker([&] { pace.rest_after(1000.0, {}); });

  pace.hurry();
  worker.join();

  EXPECT_LT(seconds_of([&] { pace.rest_after(1000.0, {}); }), kNoRest);
  pace.calm();
  EXPECT_GE(seconds_of([&] { pace.rest_after(0.001, {}); }), 0.09);
}

TEST(Pace, StopEndsARest) {
  Pace pace(0.01);
  std::stop_source stop;
  std::thread worker([&] { pace.rest_after(1000.0, stop.get_token()); });

  stop.request_stop();

  worker.join();
}

}  // namespace
}  // namespace xkde
