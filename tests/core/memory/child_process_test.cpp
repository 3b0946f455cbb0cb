#include "core/memory/child_process.h"

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

using test::message_of;
using testing::HasSubstr;

template <typename ErrorType = DataError>
std::string error_of_trying(const std::function<void()>& work, const ChildLimits& limits = {}) {
  return message_of<ErrorType>([&] { try_in_child("file", "the library", work, limits); });
}

void take_a_gibibyte() { std::vector<char>(size_t{1} << 30, 'x'); }

TEST(ChildProcess, WhatEndsByItselfIsLeftToTheCaller) {
  int touched = 0;

  EXPECT_NO_THROW(try_in_child("file", "the library", [&] { touched = 1; }));
  EXPECT_NO_THROW(try_in_child("file", "the library", [] { throw std::runtime_error("bad"); }));

  EXPECT_EQ(touched, 0) << "the child has memory of its own";
}

TEST(ChildProcess, ARefusalIsThrownWithoutTheCallersWork) {
  EXPECT_EQ(error_of_trying([] { throw DataError("file: width: expected 2, found 3"); }),
            "file: width: expected 2, found 3");
  EXPECT_EQ(error_of_trying([] { throw DataError(std::string(10'000, 'x')); }),
            std::string(4096, 'x'))
      << "as much as a pipe takes";
}

TEST(ChildProcess, ASignalEndsTheChildAlone) {
  EXPECT_EQ(error_of_trying([] { std::raise(SIGSEGV); }),
            "file: expected what the library can read, found a file that ends it with signal 11");
  EXPECT_EQ(error_of_trying([] { std::abort(); }),
            "file: expected what the library can read, found a file that ends it with signal 6");
  EXPECT_THAT(error_of_trying<MemoryError>([] { std::raise(SIGKILL); }),
              HasSubstr("was killed, as the system does where memory runs out"));
  EXPECT_EQ(error_of_trying<InternalError>([] { ::_exit(3); }),
            "file: expected a process to end by itself, found status 3");
}

TEST(ChildProcess, SignalsThatStopAJobDoNotEndIt) {
  EXPECT_NO_THROW(try_in_child("file", "the library", [] {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) std::raise(signal);
  }));
}

TEST(ChildProcess, WorkAndWaitingAreLimited) {
  const auto works = [] {
    for (volatile bool goes_on = true; goes_on;) {
    }
  };
  const auto waits = [] { std::this_thread::sleep_for(std::chrono::hours(1)); };

  EXPECT_EQ(error_of_trying(works, {.seconds = 1}),
            "file: expected what the library can read within 1 s of processor time, found more "
            "work");
  EXPECT_EQ(error_of_trying(waits, {.clock_seconds = 1}),
            "file: expected what the library can read within 1 s, found that it takes longer");
}

TEST(ChildProcess, MemoryIsLimited) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer ends a process whose memory is limited";
#endif
  EXPECT_EQ(error_of_trying(take_a_gibibyte, {.bytes = 1 << 26}),
            "file: expected what the library can read with 67108864 bytes, found a file that takes "
            "more");
}

TEST(ChildProcess, AHostWithoutMemoryIsNotTheFilesFault) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer ends a process whose memory is limited";
#endif
  // In a process of its own, whose limit stays with it.
  EXPECT_EXIT(
      {
        rlimit bounds{};
        ::getrlimit(RLIMIT_DATA, &bounds);
        bounds.rlim_cur = rlim_t{512} << 20;
        ::setrlimit(RLIMIT_DATA, &bounds);
        const std::string error = error_of_trying<MemoryError>(take_a_gibibyte);
        ::_exit(error == "file: no memory left to try it with" ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace xkde
