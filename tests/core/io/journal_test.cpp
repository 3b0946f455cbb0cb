#include "core/io/journal.h"

#include <csignal>
#include <string>
#include <type_traits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;
using Entries = std::vector<std::string>;

static_assert(std::is_nothrow_move_constructible_v<Journal>);
static_assert(!std::is_copy_constructible_v<Journal>);

Journal open(const fs::path& path, Entries& entries, Journal::Use use = Journal::Use::kAppend) {
  entries.clear();
  return {path, use, [&](std::string_view entry) { entries.emplace_back(entry); }};
}

Entries entries_of(const fs::path& path, Journal::Use use = Journal::Use::kAppend) {
  Entries entries;
  (void)open(path, entries, use);
  return entries;
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class JournalTest : public testing::Test {
 protected:
  /// A journal of these entries, closed again.
  fs::path written(const Entries& entries) {
    const fs::path path = folder_.path() / "j";
    Entries before;
    Journal journal = open(path, before);
    for (const std::string& entry : entries) journal.append(entry);
    return path;
  }
  test::TempFolder folder_;
};

TEST_F(JournalTest, GivesBackWhatWasAppended) {
  const fs::path path = written({"one", "", std::string(100000, 'x')});
  Entries entries;
  {
    Journal journal = open(path, entries);
    EXPECT_THAT(entries, ElementsAre("one", "", std::string(100000, 'x')));
    journal.append("four");
  }

  EXPECT_EQ(entries_of(path).size(), 4U);
  EXPECT_EQ(entries_of(path, Journal::Use::kRead).back(), "four");
}

TEST_F(JournalTest, ClearingLeavesNothing) {
  const fs::path path = written({"one", "two"});
  {
    Entries entries;
    Journal journal = open(path, entries);
    journal.clear();
    EXPECT_EQ(journal.bytes(), 0);
    journal.append("three");
  }

  EXPECT_THAT(entries_of(path), ElementsAre("three"));
}

TEST_F(JournalTest, CutsAnEntryThatWasCutOffAnywhere) {
  const fs::path path = written({"one", "two"});
  const std::string whole = bytes_of(path);
  const size_t second = whole.size() / 2;
  for (size_t size = second; size < whole.size(); ++size) {
    folder_.write("j", whole.substr(0, size));

    EXPECT_THAT(entries_of(path, Journal::Use::kRead), ElementsAre("one"));
    EXPECT_EQ(fs::file_size(path), size);
    EXPECT_THAT(entries_of(path), ElementsAre("one"));
    EXPECT_EQ(fs::file_size(path), second);
  }
}

TEST_F(JournalTest, CutsWhateverFollowsTheLastWholeEntry) {
  const fs::path path = written({"one"});
  const std::string whole = bytes_of(path);
  for (const std::string& rest : {std::string(200, '\0'), std::string("XKDEJRN1"),
                                  std::string(300, 'X'), whole.substr(0, whole.size() - 1) + "?"}) {
    folder_.write("j", whole + rest);

    EXPECT_THAT(entries_of(path), ElementsAre("one"));
    EXPECT_EQ(bytes_of(path), whole);
  }
}

TEST_F(JournalTest, RefusesADamagedEntryThatOthersFollow) {
  const fs::path path = written({"one", "two", "three"});
  const std::string whole = bytes_of(path);
  const size_t first = whole.find("one") + 3;
  for (size_t at = 0; at < first; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    folder_.write("j", damaged);

    EXPECT_EQ(message_of<DataError>([&] { (void)entries_of(path); }),
              path.string() +
                  ": expected a whole entry at byte 0, found a damaged one with others "
                  "behind it");
    EXPECT_EQ(bytes_of(path), damaged);
  }
}

TEST_F(JournalTest, HasOneWriterAndNoReadersBesideIt) {
  const fs::path path = written({"one"});
  Entries entries;
  {
    const Journal writer = open(path, entries);
    EXPECT_EQ(message_of<IoError>([&] { (void)entries_of(path); }),
              path.string() + ": expected to be its only user, found it in use by another");
    EXPECT_EQ(message_of<IoError>([&] { (void)entries_of(path, Journal::Use::kRead); }),
              path.string() + ": expected no writer, found it in use by another");
  }

  const Journal reader = open(path, entries, Journal::Use::kRead);
  EXPECT_THAT(entries_of(path, Journal::Use::kRead), ElementsAre("one"));
}

TEST_F(JournalTest, ReadingMakesNoFile) {
  EXPECT_TRUE(entries_of(folder_.path() / "none", Journal::Use::kRead).empty());
  EXPECT_FALSE(fs::exists(folder_.path() / "none"));
  EXPECT_THAT(message_of<IoError>([&] { (void)entries_of(folder_.path() / "no/where"); }),
              HasSubstr("no/where: expected to open it, found No such file"));
}

/// Of its own process: an entry that finds no room, and one that does.
void append_on_a_full_disk(const fs::path& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  Entries entries;
  Journal journal = open(path, entries);
  const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
  setrlimit(RLIMIT_FSIZE, &limit);
  const std::string message = message_of<IoError>([&] { journal.append(std::string(5000, 'x')); });
  if (message.find("File too large") == std::string::npos) _exit(1);
  journal.append("small");
  _exit(0);
}

TEST_F(JournalTest, AFailedAppendLeavesItAsItWas) {
  const fs::path path = written({"one"});

  EXPECT_EXIT(append_on_a_full_disk(path), testing::ExitedWithCode(0), "");

  EXPECT_THAT(entries_of(path), ElementsAre("one", "small"));
}

}  // namespace
}  // namespace xkde
