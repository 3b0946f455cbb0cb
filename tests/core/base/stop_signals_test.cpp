#include "core/base/stop_signals.h"

#include <csignal>

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"

namespace xkde {
namespace {

// A request cannot be taken back: each of these is made in a process of its own.

void stop_by(int signal) {
  install_stop_signals();
  if (stop_requested()) _exit(1);
  check_stop();
  std::raise(signal);
  if (!stop_requested()) _exit(2);
  try {
    check_stop();
  } catch (const StopRequested&) {
    _exit(0);
  }
  _exit(3);
}

TEST(StopSignals, EachAsksForAStop) {
  EXPECT_FALSE(stop_requested());
  for (const int signal : {SIGUSR1, SIGTERM, SIGHUP, SIGINT}) {
    EXPECT_EXIT(stop_by(signal), testing::ExitedWithCode(0), "") << signal;
  }
}

void hang_up_ignored() {
  std::signal(SIGHUP, SIG_IGN);
  install_stop_signals();
  std::raise(SIGHUP);
  _exit(stop_requested() ? 1 : 0);
}

TEST(StopSignals, AHangUpThatTheCallerIgnoresStaysIgnored) {
  EXPECT_EXIT(hang_up_ignored(), testing::ExitedWithCode(0), "");
}

void interrupt_twice() {
  install_stop_signals();
  std::raise(SIGINT);
  std::raise(SIGINT);
  _exit(1);
}

TEST(StopSignals, ASecondInterruptEndsTheProcessWithALine) {
  EXPECT_EXIT(interrupt_twice(), testing::ExitedWithCode(128 + SIGINT), "Ctrl-C came twice");
}

void say_by(int signal) {
  install_stop_signals();
  say_at_stop("asked to stop\n");
  std::raise(signal);
  std::raise(SIGTERM);
  _exit(0);
}

TEST(StopSignals, TheFirstThatAsksIsAnsweredWithALine) {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT, SIGUSR1})
    EXPECT_EXIT(say_by(signal), testing::ExitedWithCode(0), "^asked to stop\n$") << signal;
}

void terminate_then_interrupt() {
  install_stop_signals();
  std::raise(SIGTERM);
  std::raise(SIGINT);
  _exit(0);
}

TEST(StopSignals, AFirstInterruptAfterAnotherSignalDoesNot) {
  EXPECT_EXIT(terminate_then_interrupt(), testing::ExitedWithCode(0), "");
}

void ask_to_save() {
  install_stop_signals();
  if (take_save_request()) _exit(1);
  std::raise(SIGUSR2);
  if (!take_save_request()) _exit(2);
  _exit(take_save_request() || stop_requested() ? 3 : 0);
}

TEST(StopSignals, ARequestToSaveIsTakenOnce) {
  EXPECT_EXIT(ask_to_save(), testing::ExitedWithCode(0), "");
}

void write_to_nobody() {
  install_stop_signals();
  int ends[2];
  if (::pipe(ends) != 0) _exit(1);
  ::close(ends[0]);
  _exit(::write(ends[1], "x", 1) < 0 ? 0 : 2);
}

TEST(StopSignals, AReaderThatIsGoneDoesNotEndTheProcess) {
  EXPECT_EXIT(write_to_nobody(), testing::ExitedWithCode(0), "");
}

void stop_before_restoring() {
  install_stop_signals();
  std::raise(SIGTERM);
  restore_stop_signals();
  _exit(0);
}

TEST(StopSignals, WhatCameBeforeTheyAreRestoredIsNotLost) {
  EXPECT_EXIT(stop_before_restoring(), testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace xkde
