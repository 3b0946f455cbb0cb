#include "core/io/file.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/direct_file.h"
#include "core/io/durable_file.h"
#include "core/io/hdf5_file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

static_assert(std::is_nothrow_move_constructible_v<FileHandle>);
static_assert(std::is_nothrow_move_assignable_v<FileHandle>);
static_assert(std::is_nothrow_destructible_v<FileHandle>);
static_assert(!std::is_copy_constructible_v<FileHandle>);

std::atomic<int> g_signals{0};
void count_signal(int) { ++g_signals; }

class FileTest : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  test::TempFolder folder_;
};

TEST_F(FileTest, ModesSayWhatMustBeThereAndWhatStays) {
  EXPECT_THAT(message_of<IoError>([&] { FileHandle::open(path("f"), OpenMode::kRead); }),
              HasSubstr("f: expected to open it, found No such file"));
  EXPECT_THAT(message_of<IoError>([&] { FileHandle::open(path("f"), OpenMode::kUpdate); }),
              HasSubstr("f: cannot open: No such file"));
  EXPECT_THAT(message_of<IoError>([&] { FileHandle::open(path("no/f"), OpenMode::kAppend); }),
              HasSubstr("f: expected a file to append to, found No such file"));

  FileHandle::open(path("f"), OpenMode::kCreate).write_all("one");
  FileHandle::open(path("f"), OpenMode::kAppend).write_all("two");
  EXPECT_EQ(text_of_file(path("f")), "onetwo");
  EXPECT_THAT(message_of<IoError>([&] { FileHandle::open(path("f"), OpenMode::kCreate); }),
              HasSubstr("f: cannot create: File exists"));
  FileHandle::open(path("f"), OpenMode::kUpdate).pwrite_all("N", 1);
  EXPECT_EQ(text_of_file(path("f")), "oNetwo");
  FileHandle::open(path("f"), OpenMode::kKeep).pwrite_all("!", 6);
  EXPECT_EQ(text_of_file(path("f")), "oNetwo!");
  FileHandle::open(path("f"), OpenMode::kReplace).write_all("3");
  EXPECT_EQ(text_of_file(path("f")), "3");
}

TEST_F(FileTest, WhatIsWrittenAnewFollowsNoLink) {
  folder_.write("target", "kept");
  fs::create_symlink(path("target"), path("link"));

  for (const OpenMode mode : {OpenMode::kUpdate, OpenMode::kReplace, OpenMode::kLock}) {
    EXPECT_THROW(FileHandle::open(path("link"), mode), IoError);
  }

  EXPECT_EQ(text_of_file(path("link")), "kept");
}

TEST_F(FileTest, AHandleThatWasMovedFromIsNotOpen) {
  FileHandle file = FileHandle::open(path("f"), OpenMode::kReplace);
  FileHandle other;

  other = std::move(file);
  other.write_all("x");
  other.close();

  EXPECT_FALSE(file.is_open());  // NOLINT(bugprone-use-after-move): that is the claim
  EXPECT_FALSE(other.is_open());
  EXPECT_EQ(other.path(), path("f"));
  EXPECT_FALSE(FileHandle::try_open(path("none"), OpenMode::kRead).is_open());
}

TEST_F(FileTest, StatusTellsSizeAndKind) {
  FileHandle file = FileHandle::open(path("f"), OpenMode::kCreate);
  file.write_all("12345");

  EXPECT_EQ(file.status().bytes, 5);
  EXPECT_TRUE(file.status().is_regular);
  file.truncate(2);
  EXPECT_EQ(file.status().bytes, 2);
  EXPECT_FALSE(FileHandle::open(folder_.path(), OpenMode::kRead).status().is_regular);
}

TEST_F(FileTest, WhatIsMadeIsForAllWhomTheUmaskLeaves) {
  for (const mode_t mask : {0000, 0002, 0027, 0077}) {
    const mode_t before = ::umask(mask);
    FileHandle::open(path("made"), OpenMode::kKeep).close();
    write_file_atomically(path("whole"), "x");
    write_file_atomically(path("whole"), "again");
    write_durable(path("durable"), "x");
    Hdf5File::create(path("hdf5")).close();
    DurableFile::reopen(path("hdf5")).finish();
    DirectFile(path("hdf5")).finish();
    ::umask(before);

    for (const char* name : {"made", "whole", "durable", "hdf5"}) {
      struct stat info {};
      ASSERT_EQ(::stat(path(name).c_str(), &info), 0) << name;
      EXPECT_EQ(info.st_mode & 07777, 0666 & ~mask) << name;
      fs::remove(path(name));
    }
  }
}

TEST_F(FileTest, RemovesATreeAndNothingBehindALink) {
  fs::create_directories(path("tree/inner"));
  folder_.write("tree/inner/f", "");
  folder_.write("kept", "mine");
  fs::create_symlink(path("kept"), path("tree/link"));

  remove_tree(path("tree"));
  remove_tree(path("tree"));

  EXPECT_FALSE(fs::exists(path("tree")));
  EXPECT_EQ(text_of_file(path("kept")), "mine");
  EXPECT_THAT(message_of<IoError>([] { remove_tree("/proc/self/status"); }),
              HasSubstr("/proc/self/status: expected to remove it, found "));
  EXPECT_FALSE(try_remove_tree("/proc/self/status"));
}

TEST_F(FileTest, ReadsStopAtTheEnd) {
  const FileHandle file = FileHandle::open(folder_.write("f", "0123456789"), OpenMode::kRead);
  std::string part(4, ' ');

  file.pread_all(part, 6);
  EXPECT_EQ(part, "6789");
  EXPECT_EQ(message_of<IoError>([&] { file.pread_all(part, 7); }),
            path("f").string() + ": expected 11 bytes, found 10");
  std::string all(100, ' ');
  EXPECT_EQ(file.read_some(all), 10U);
  EXPECT_EQ(file.read_some(all), 0U);
}

TEST_F(FileTest, AnExclusiveLockHasOneHolder) {
  const FileHandle one = FileHandle::open(path("f"), OpenMode::kLock);
  const FileHandle two = FileHandle::open(path("f"), OpenMode::kLock);
  {
    const FileHandle holder = FileHandle::open(path("f"), OpenMode::kLock);
    EXPECT_TRUE(holder.try_lock(LockKind::kExclusive));
    EXPECT_FALSE(one.try_lock(LockKind::kExclusive));
    EXPECT_FALSE(one.try_lock(LockKind::kShared));
  }

  EXPECT_TRUE(one.try_lock(LockKind::kShared));
  EXPECT_TRUE(two.try_lock(LockKind::kShared));
  EXPECT_FALSE(two.try_lock(LockKind::kExclusive));
}

/// In a process of its own: of 5,000 bytes 1,000 find room.
void write_on_a_full_disk(const fs::path& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
  setrlimit(RLIMIT_FSIZE, &limit);
  const FileHandle file = FileHandle::open(path, OpenMode::kReplace);
  const std::string text(5000, 'x');
  const std::string expected = ": expected to write 4000 more bytes, found File too large";
  if (message_of<IoError>([&] { file.write_all(text); }) != path.string() + expected) _exit(1);
  if (message_of<IoError>([&] { file.pwrite_all(text, 0); }) != path.string() + expected) _exit(2);
  _exit(0);
}

TEST_F(FileTest, AFullDiskIsAnErrorThatSaysHowMuchIsMissing) {
  EXPECT_EXIT(write_on_a_full_disk(path("f")), testing::ExitedWithCode(0), "");

  EXPECT_EQ(text_of_file(path("f")), std::string(1000, 'x'));
}

/// Sends signals to a thread that waits in a system call until three have arrived.
void interrupt(std::thread& thread) {
  const int end = g_signals + 3;
  while (g_signals < end) {
    pthread_kill(thread.native_handle(), SIGUSR2);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST_F(FileTest, InterruptedAndShortCallsAreContinued) {
  struct sigaction action {};
  action.sa_handler = count_signal;  // without SA_RESTART
  sigaction(SIGUSR2, &action, nullptr);
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  // Opened to read and write, a pipe waits for nobody.
  const FileHandle in = FileHandle::open(path("pipe"), OpenMode::kKeep);
  const FileHandle out = FileHandle::open(path("pipe"), OpenMode::kKeep);
  std::string text;
  while (text.size() < 300000) text += std::to_string(text.size());  // more than a pipe holds
  std::string piece(5000, ' ');
  std::string got;

  size_t first = 0;
  std::thread reader([&] { first = in.read_some(piece); });
  interrupt(reader);
  out.write_all("one");
  reader.join();
  EXPECT_EQ(piece.substr(0, first), "one");

  std::thread writer([&] { out.write_all(text); });
  interrupt(writer);
  while (got.size() < text.size()) got.append(piece, 0, in.read_some(piece));
  writer.join();
  EXPECT_EQ(got, text);
}

TEST_F(FileTest, RenamingReplacesAFileAndNamesWhatFails) {
  folder_.write("new", "n");
  folder_.write("old", "o");

  rename_file(path("new"), path("old"));

  EXPECT_EQ(text_of_file(path("old")), "n");
  EXPECT_FALSE(fs::exists(path("new")));
  EXPECT_EQ(
      message_of<IoError>([&] { rename_file(path("new"), path("old")); }),
      path("old").string() + ": expected to rename new to it, found No such file or directory");
}

TEST_F(FileTest, FilesAndFoldersCanBeSynced) {
  EXPECT_NO_THROW(sync_path(folder_.write("f", "x")));
  EXPECT_NO_THROW(sync_path(folder_.path()));
  EXPECT_NO_THROW(sync_folder_of(path("f")));
  EXPECT_NO_THROW(sync_folder_of("a_file_here"));
  EXPECT_THROW(sync_path(path("none")), IoError);
}

TEST_F(FileTest, TheTextOfAFileThatIsNotThereIsEmpty) {
  EXPECT_EQ(text_of_file(path("none")), "");
  EXPECT_THROW(text_of_file(folder_.path()), IoError);
  EXPECT_EQ(text_of_file(folder_.write("big", std::string(200000, 'b'))).size(), 200000U);
}

}  // namespace
}  // namespace xkde
