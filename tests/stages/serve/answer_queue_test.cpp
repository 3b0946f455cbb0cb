#include "stages/serve/answer_queue.h"

#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace xkde::serve {
namespace {

constexpr std::chrono::milliseconds kNone{0}, kLong{60'000};

std::shared_ptr<AnswerJob> job_of(int64_t id) {
  auto job = std::make_shared<AnswerJob>();
  job->prompt.ids = {id};
  return job;
}

TEST(AnswerQueue, JobsComeInTheirOrderAndNoMoreThanFit) {
  AnswerQueue queue(2);
  EXPECT_EQ(queue.take(kNone), nullptr);
  EXPECT_TRUE(queue.offer(job_of(1)));
  EXPECT_TRUE(queue.offer(job_of(2)));
  EXPECT_FALSE(queue.offer(job_of(3)));

  EXPECT_EQ(queue.take(kNone)->prompt.ids.front(), 1);
  EXPECT_TRUE(queue.offer(job_of(4)));
  EXPECT_EQ(queue.take(kNone)->prompt.ids.front(), 2);
  EXPECT_EQ(queue.take(kNone)->prompt.ids.front(), 4);
}

TEST(AnswerQueue, WhoHungUpKeepsNobodyOut) {
  AnswerQueue queue(1);
  const auto gone = job_of(1);
  EXPECT_TRUE(queue.offer(gone));
  gone->stream.cancel();
  EXPECT_TRUE(queue.offer(job_of(2)));
  EXPECT_EQ(queue.take(kNone)->prompt.ids.front(), 2);

  const auto late = job_of(3);
  EXPECT_TRUE(queue.offer(late));
  late->stream.cancel();
  EXPECT_EQ(queue.take(kNone), nullptr);
}

TEST(AnswerQueue, ClosedItFailsWhoeverWaits) {
  AnswerQueue queue(4);
  const auto waiting = job_of(1);
  queue.offer(waiting);
  queue.close();
  EXPECT_EQ(waiting->stream.next(kNone).failure, "the server ends");
  EXPECT_FALSE(queue.offer(job_of(2)));
  EXPECT_EQ(queue.take(kNone), nullptr);
}

TEST(AnswerStream, PiecesAreTakenOnceAndJoined) {
  AnswerStream stream;
  EXPECT_TRUE(stream.put("Hel"));
  EXPECT_TRUE(stream.put(""));
  EXPECT_TRUE(stream.put("lo"));
  EXPECT_EQ(stream.next(kNone).text, "Hello");
  const AnswerStream::State nothing = stream.next(kNone);
  EXPECT_EQ(nothing.text, "");
  EXPECT_FALSE(nothing.answer);
  EXPECT_FALSE(nothing.failure);
  stream.put("!");
  stream.end({"Hello!", FinishReason::kStop, 3});
  const AnswerStream::State last = stream.next(kNone);
  EXPECT_EQ(last.text, "!");
  EXPECT_EQ(last.answer->text, "Hello!");
}

TEST(AnswerStream, WhoMakesTheAnswerHearsOfAHangUp) {
  AnswerStream stream;
  EXPECT_TRUE(stream.put("a"));
  stream.cancel();
  EXPECT_FALSE(stream.put("b"));
}

TEST(AnswerStream, WaitsForAnotherThread) {
  AnswerStream stream;
  std::thread writer([&] { stream.put("late"); });
  EXPECT_EQ(stream.next(kLong).text, "late");
  writer.join();
}

}  // namespace
}  // namespace xkde::serve
