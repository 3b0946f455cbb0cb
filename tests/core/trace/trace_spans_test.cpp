#include "core/trace/trace_spans.h"

#include <chrono>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"

namespace xkde {
namespace {

using testing::ElementsAre;

void pass_time() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

std::vector<std::string> names_of(const std::vector<TraceEvent>& events) {
  std::vector<std::string> names;
  for (const TraceEvent& event : events) names.push_back(event.name);
  return names;
}

TEST(TraceSpan, WithoutARecorderIsNothing) {
  { const TraceSpan span(TraceLane::kGather); }
  EXPECT_EQ(TraceRecorder::current(), nullptr);
}

TEST(TraceSpan, OfAnotherThreadIsNotRecorded) {
  const TraceRecorder recorder;
  std::thread([] { const TraceSpan span(TraceLane::kGather); }).join();
  EXPECT_TRUE(recorder.events().empty());
}

TEST(TraceSpan, WithinAnotherOneInterruptsIt) {
  TraceRecorder recorder;
  {
    const TraceSpan outer(TraceLane::kCompute, "forward", "block 7");
    pass_time();
    {
      const TraceSpan inner(TraceLane::kGather);
      pass_time();
    }
    pass_time();
  }
  const std::vector<TraceEvent>& events = recorder.events();
  EXPECT_THAT(names_of(events), ElementsAre("forward block 7", "gather", "forward block 7"));
  EXPECT_EQ(events[1].lane, TraceLane::kGather);
  for (size_t i = 1; i < events.size(); ++i) EXPECT_EQ(events[i].begin, events[i - 1].end);
}

TEST(TraceSpan, TooShortToTellLeavesWhatItInterruptedWhole) {
  TraceRecorder recorder;
  int tries = 0;
  do {  // a busy machine may make any span long
    const size_t before = recorder.events().size();
    {
      const TraceSpan outer(TraceLane::kCompute);
      pass_time();
      { const TraceSpan inner(TraceLane::kWait); }
      pass_time();
    }
    if (recorder.events().size() == before + 1) return;
  } while (++tries < 100);
  FAIL() << "an empty span always cuts what is around it";
}

TEST(TraceRecorder, KeepsStepsWholeAboveTheirSpans) {
  TraceRecorder recorder;
  recorder.enter(TraceLane::kStep, "step 2");
  {
    const TraceSpan span(TraceLane::kCompute);
    pass_time();
  }
  {
    const TraceSpan span(TraceLane::kSave);
    pass_time();
  }
  recorder.leave();
  const std::vector<TraceEvent>& events = recorder.events();
  ASSERT_THAT(names_of(events), ElementsAre("compute", "save", "step 2"));
  EXPECT_LE(events[2].begin, events[0].begin);
  EXPECT_GE(events[2].end, events[1].end);
}

TEST(TraceRecorder, SettlesAtEachBorder) {
  int count = 0;
  const TraceRecorder recorder([&count] { ++count; });
  { const TraceSpan span(TraceLane::kCompute); }
  EXPECT_EQ(count, 2);
}

TEST(TraceRecorder, LeavesAnErrorThatIsOnItsWayAlone) {
  bool is_broken = false;
  TraceRecorder recorder([&is_broken] {
    if (is_broken) throw std::runtime_error("the device again");
  });
  try {
    const TraceSpan span(TraceLane::kCompute);
    is_broken = true;
    throw std::runtime_error("the device");
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "the device");
  }
  EXPECT_THAT(names_of(recorder.events()), ElementsAre("compute"));
  EXPECT_THROW(const TraceSpan span(TraceLane::kCompute), std::runtime_error);
}

TEST(TraceRecorder, TwiceInOneThreadIsAnError) {
  const TraceRecorder recorder;
  EXPECT_THROW(TraceRecorder second, InternalError);
}

TEST(TraceEventsJson, IsWhatViewersRead) {
  const std::vector<TraceEvent> events{{TraceLane::kGather, "gather \"x\"\n", 5000, 12500}};
  const Json json = Json::parse("[" + trace_events_json(events, 3, "rank 3, host", 1000) + "]");
  const Json& name = json.front();
  EXPECT_EQ(name["ph"], "M");
  EXPECT_EQ(name["name"], "process_name");
  EXPECT_EQ(name["args"]["name"], "rank 3, host");
  const Json& event = json.back();
  EXPECT_EQ(event["ph"], "X");
  EXPECT_EQ(event["name"], "gather \"x\"");
  EXPECT_EQ(event["pid"], 3);
  EXPECT_EQ(event["ts"], 4.0);
  EXPECT_EQ(event["dur"], 7.5);
  int64_t lanes = 0;
  for (const Json& one : json) {
    if (one["name"] != "thread_name") continue;
    ++lanes;
    if (one["tid"] != event["tid"]) continue;
    EXPECT_EQ(one["args"]["name"], "gather");
  }
  EXPECT_EQ(lanes, std::ssize(kTraceLanes));
}

}  // namespace
}  // namespace xkde
