#include "core/base/standard_output.h"

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

// A failure is remembered: each test has a process of its own, which tells on standard error how it
// went.

void finish_and_tell() {
  try {
    finish_output();
  } catch (const IoError& error) {
    std::fputs(error.what(), stderr);
    _exit(74);
  }
  _exit(0);
}

void print_to(const char* file) {
  const int target = ::open(file, O_WRONLY | O_CREAT, 0600);
  ::dup2(target, STDOUT_FILENO);
  print("results\n");
  finish_and_tell();
}

TEST(StandardOutput, WhatFitsIsWritten) {
  const test::TempFolder folder;
  const std::string file = (folder.path() / "out").string();

  EXPECT_EXIT(print_to(file.c_str()), testing::ExitedWithCode(0), "");

  EXPECT_EQ(std::filesystem::file_size(file), 8U);
}

TEST(StandardOutput, AFullDiskIsAnError) {
  EXPECT_EXIT(print_to("/dev/full"), testing::ExitedWithCode(74),
              "standard output: expected to write all results, found No space left on device");
}

void print_to_nobody() {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  if (::pipe(ends) != 0) _exit(1);
  ::close(ends[0]);
  ::dup2(ends[1], STDOUT_FILENO);
  print("results\n");
  std::fputs("more\n", stdout);
  finish_and_tell();
}

TEST(StandardOutput, AReaderThatWentAwayIsNone) {
  EXPECT_EXIT(print_to_nobody(), testing::ExitedWithCode(0), "");
}

/// Text that goes past print(), as std::cout's does.
void write_past_print() {
  ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO);
  std::fputs("results\n", stdout);
  finish_and_tell();
}

TEST(StandardOutput, TextThatIsStillHeldBackCounts) {
  EXPECT_EXIT(write_past_print(), testing::ExitedWithCode(74), "No space left on device");
}

void print_to_a_closed_one() {
  ::close(STDOUT_FILENO);
  hold_standard_streams();
  const int file = ::open("/dev/null", O_WRONLY);
  if (file == STDOUT_FILENO) _exit(1);
  print("results\n");
  finish_and_tell();
}

TEST(StandardOutput, NoFileTakesThePlaceOfAClosedOne) {
  EXPECT_EXIT(print_to_a_closed_one(), testing::ExitedWithCode(74), "Bad file descriptor");
}

void print_nothing_to_a_closed_one() {
  ::close(STDOUT_FILENO);
  hold_standard_streams();
  finish_and_tell();
}

TEST(StandardOutput, NothingIsLostWhereNothingWasWritten) {
  EXPECT_EXIT(print_nothing_to_a_closed_one(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace xkde
