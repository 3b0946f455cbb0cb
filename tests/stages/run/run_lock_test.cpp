#include "stages/run/run_lock.h"

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/io/file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

/// A folder that several hosts write to, none of which sees the others' locks.
class SharedFolder : public testing::Test {
 protected:
  /// Takes the lock as `own`, and ends as a killed process does: the record stays.
  void kill_while_holding(const ProcessIdentity& own) {
    {
      const RunLock lock(root_.path(), own, LockReach::kThisHost);
      record_ = text_of_file(root_.path() / kHolderFile);
    }
    root_.write(kHolderFile, record_);
  }
  std::string refusal(const ProcessIdentity& own, LockReach reach = LockReach::kThisHost) const {
    return message_of<ConfigError>([&] { RunLock lock(root_.path(), own, reach); });
  }

  test::TempFolder root_;
  std::string record_;
  ProcessIdentity here_{
      .host = "a", .boot = "1", .process = 7, .started = 5, .since = "noon", .job = ""};
  ProcessIdentity there_{
      .host = "b", .boot = "2", .process = 7, .started = 5, .since = "noon", .job = ""};
};

TEST_F(SharedFolder, IsFreeBeforeAndAfter) {
  EXPECT_EQ(use_of(root_.path()).kind, FolderUse::kFree);
  {
    const RunLock lock(root_.path());
    const FolderUse use = use_of(root_.path());
    EXPECT_EQ(use.kind, FolderUse::kHeld);
    ASSERT_TRUE(use.holder.has_value());
    EXPECT_EQ(use.holder->process, ::getpid());
  }
  EXPECT_EQ(use_of(root_.path()).kind, FolderUse::kFree);
  EXPECT_FALSE(fs::exists(root_.path() / kHolderFile));
}

TEST_F(SharedFolder, NamesItsHolder) {
  const RunLock lock(root_.path(), here_, LockReach::kThisHost);

  EXPECT_EQ(refusal(there_),
            "output_dir: " + root_.path().string() +
                ": expected a folder that no other run writes to, found one in use by process 7 on "
                "a since noon");
}

TEST_F(SharedFolder, ARecordOfAnotherHostCountsThoughNoLockIsSeen) {
  kill_while_holding(there_);

  EXPECT_THAT(refusal(here_),
              HasSubstr("in use by process 7 on b since noon; if it has ended without a word, "
                        "remove " +
                        (root_.path() / kHolderFile).string()));
  EXPECT_EQ(text_of_file(root_.path() / kHolderFile), record_);
}

TEST_F(SharedFolder, ARecordOfAnotherHostIsOldWhereNobodyElseCanWrite) {
  kill_while_holding(there_);

  EXPECT_EQ(refusal(here_, LockReach::kAllHosts), "no error");
}

TEST_F(SharedFolder, AKilledProcessOfThisKernelIsGone) {
  kill_while_holding(here_);
  ProcessIdentity next = here_;
  next.host = "another name";

  EXPECT_EQ(refusal(next), "no error");
}

TEST_F(SharedFolder, AHostThatStartedAnewHoldsNothing) {
  kill_while_holding(here_);
  ProcessIdentity next = here_;
  next.boot = "3";

  EXPECT_EQ(refusal(next), "no error");
}

TEST_F(SharedFolder, AJobThatWasRequeuedElsewhereGoesOn) {
  there_.job = here_.job = "41";
  kill_while_holding(there_);
  EXPECT_EQ(refusal(here_), "no error");

  there_.job = "42";
  kill_while_holding(there_);
  EXPECT_NE(refusal(here_), "no error");
}

TEST_F(SharedFolder, ARecordThatCannotBeReadIsAUsersToRemove) {
  root_.write(kHolderFile, "{");

  EXPECT_THAT(refusal(here_),
              HasSubstr("found one in use; if it has ended without a word, remove "));
  EXPECT_EQ(refusal(here_, LockReach::kAllHosts), "no error");
}

TEST_F(SharedFolder, WhoLooksTellsAProcessThatIsGoneFromOneItCannotSee) {
  kill_while_holding(here_);
  EXPECT_EQ(use_of(root_.path(), here_, LockReach::kThisHost).kind, FolderUse::kFree);
  fs::remove(root_.path() / kHolderFile);

  kill_while_holding(there_);
  const FolderUse use = use_of(root_.path(), here_, LockReach::kThisHost);
  EXPECT_EQ(use.kind, FolderUse::kNotSeen);
  ASSERT_TRUE(use.holder.has_value());
  EXPECT_EQ(use.holder->host, "b");
  EXPECT_EQ(use_of(root_.path(), here_, LockReach::kAllHosts).kind, FolderUse::kFree);
}

TEST_F(SharedFolder, OfManyStartsAtOnceOneWins) {
  constexpr int kStarts = 8;
  int go[2], done[2];
  ASSERT_EQ(::pipe(go), 0);
  ASSERT_EQ(::pipe(done), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < kStarts; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(go[1]);
      char byte = 0;
      (void)!::read(go[0], &byte, 1);  // ends when the parent closes its end
      int code = 1;
      try {
        const RunLock lock(root_.path());
        (void)!::write(done[1], "w", 1);
        ::pause();
      } catch (const ConfigError&) {
        code = 0;
      }
      ::_exit(code);
    }
    children.push_back(child);
  }
  ::close(go[0]);
  ::close(go[1]);
  char byte = 0;
  ASSERT_EQ(::read(done[0], &byte, 1), 1);
  int refused = 0;
  for (int i = 0; i < kStarts - 1; ++i) {
    int status = 0;
    ASSERT_GT(::wait(&status), 0);
    refused += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
  }

  EXPECT_EQ(refused, kStarts - 1);

  // The winner is killed; the next start goes on.
  for (const pid_t child : children) ::kill(child, SIGKILL);
  while (::wait(nullptr) > 0) {
  }
  EXPECT_TRUE(fs::exists(root_.path() / kHolderFile));
  EXPECT_EQ(use_of(root_.path()).kind, FolderUse::kFree);
  EXPECT_NO_THROW(RunLock(root_.path()));
}

}  // namespace
}  // namespace xkde::recipe
