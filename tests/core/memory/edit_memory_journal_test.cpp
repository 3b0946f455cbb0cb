#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/io/journal.h"
#include "core/memory/edit_memory.h"
#include "tests/core/memory/memory_facts.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::bytes_of;
using test::EditMemoryTest;
using test::embeddings_of;
using test::expect_first_facts;
using test::facts_of;
using test::grow;
using test::kKind;
using test::kWidth;
using test::message_of;
using testing::HasSubstr;

TEST_F(EditMemoryTest, SavingFoldsTheJournal) {
  {
    EditMemory memory = create();
    grow(memory, 2000);
    EXPECT_GT(fs::file_size(journal_), 48000U);
    memory.save();
    EXPECT_EQ(fs::file_size(journal_), 0U);
    grow(memory, 3);
  }

  expect_first_facts(open(), 2003);
  expect_first_facts(open(EditMemory::Access::kRead), 2003);
}

TEST_F(EditMemoryTest, ClosingFoldsTheJournalAndGivesTheFilesFree) {
  EditMemory memory = create();
  grow(memory, 3);

  memory.close();

  EXPECT_EQ(fs::file_size(journal_), 0U);
  grow(memory, 1);
  expect_first_facts(open(), 3);
  expect_first_facts(memory, 4);
}

TEST_F(EditMemoryTest, FoldsAJournalThatHasOutgrownTheFile) {
  const MemoryKind wide{2048, "e"};
  std::optional<EditMemory> memory = EditMemory::create(file_, wide);
  const at::Tensor rows = at::ones({1000, wide.width});  // 8 MB
  std::vector<uintmax_t> journal;
  for (int i = 0; i < 5; ++i) {
    memory->append(facts_of(0, 1000), rows);
    journal.push_back(fs::file_size(journal_));
  }
  memory->append(facts_of(0, 3000), at::ones({3000, wide.width}));  // too much for any journal
  journal.push_back(fs::file_size(journal_));
  memory.reset();

  EXPECT_GT(journal[0], 8000000U);
  EXPECT_GT(journal[1], 16000000U);
  EXPECT_EQ(journal[2], 0U);
  EXPECT_GT(journal[3], 8000000U);
  EXPECT_EQ(journal[5], 0U);
  EXPECT_EQ(EditMemory::open(file_, wide, EditMemory::Access::kRead).size(), 8000);
}

TEST_F(EditMemoryTest, EntriesThatAFoldHasTakenAreNotTakenTwice) {
  std::string journal;
  {
    EditMemory memory = create();
    grow(memory, 3);
    grow(memory, 4);
    journal = bytes_of(journal_);
    memory.save();
  }
  folder_.write("memory.h5.journal", journal);  // as if killed before the journal was cleared

  expect_first_facts(open(), 7);
}

TEST_F(EditMemoryTest, FoldsThatAreKilledOneAfterAnotherLoseNothing) {
  create();
  for (int64_t facts = 1; facts <= 9; facts += 2) {
    std::string journal;
    {
      EditMemory memory = open();
      grow(memory, facts == 1 ? 1 : 2);
      journal = bytes_of(journal_);
      memory.save();
    }
    folder_.write("memory.h5.journal", journal);  // as if killed before the journal was cleared

    expect_first_facts(open(EditMemory::Access::kRead), facts);
    EXPECT_EQ(bytes_of(journal_), journal);  // a reader leaves it
  }
}

TEST_F(EditMemoryTest, AJournalThatWasCutOffLosesItsLastAppendOnly) {
  {
    EditMemory memory = create();
    for (int i = 0; i < 4; ++i) grow(memory, 2);
  }
  fs::resize_file(journal_, fs::file_size(journal_) - 5);

  expect_first_facts(open(), 6);
}

/// In a process of its own: appends forever, and says how many facts are durable.
[[noreturn]] void append_until_killed(const fs::path& file, int to_parent) {
  EditMemory memory = EditMemory::open(file, kKind);
  for (;;) {
    grow(memory, 1 + memory.size() % 3);
    if (memory.size() % 5 == 0) memory.save();
    const int64_t size = memory.size();
    if (::write(to_parent, &size, sizeof size) != sizeof size) _exit(1);
  }
}

TEST_F(EditMemoryTest, AKilledWriterLosesNothingThatAppendReturnedFrom) {
  create();
  std::mt19937 random(1);
  int64_t kept = 0;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) append_until_killed(file_, ends[1]);
    ::close(ends[1]);
    int64_t durable = kept;
    // Some appends are waited for, however slow the machine is; the first ones of a process are
    // killed too.
    for (int appends = round % 4; appends > 0; --appends) {
      ASSERT_EQ(::read(ends[0], &durable, sizeof durable), ssize_t{sizeof durable});
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60000));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    while (::read(ends[0], &durable, sizeof durable) == sizeof durable) {
    }
    ::close(ends[0]);

    const EditMemory memory = open();
    kept = memory.size();
    EXPECT_GE(kept, durable);
    EXPECT_LE(kept, durable + 3);
    expect_first_facts(memory, kept);
  }
  EXPECT_GT(kept, 20);
}

TEST_F(EditMemoryTest, RefusesAJournalOfAnotherMemory) {
  {
    EditMemory memory = create();
    grow(memory, 1);
    memory.save();
    grow(memory, 1);
  }
  const std::string journal = bytes_of(journal_);
  const MemoryKind other{kWidth + 1, "other"};
  (void)EditMemory::create(folder_.path() / "other.h5", other);
  folder_.write("other.h5.journal", journal);
  (void)EditMemory::create(folder_.path() / "gap.h5", kKind);
  folder_.write("gap.h5.journal", journal);

  EXPECT_THAT(
      message_of<DataError>([&] { (void)EditMemory::open(folder_.path() / "other.h5", other); }),
      HasSubstr("other.h5.journal: expected facts of width 7 and encoder other, found 6 and sha"));
  EXPECT_THAT(
      message_of<DataError>([&] { (void)EditMemory::open(folder_.path() / "gap.h5", kKind); }),
      HasSubstr("gap.h5.journal: expected facts of the memory gap.h5 as it is, found those of "
                "another one; a memory and its journal are copied together"));
}

TEST_F(EditMemoryTest, AJournalKnowsItsMemory) {
  const auto make = [&](const std::string& name, const std::string& answer) {
    EditMemory memory = EditMemory::create(folder_.path() / name, kKind);
    memory.append(std::vector<MemoryFact>{{"Who?", answer, "en", 0}}, embeddings_of(0, 1));
    memory.save();
    memory.append(std::vector<MemoryFact>{{"Where?", answer, "en", 1}}, embeddings_of(1, 1));
    return bytes_of(folder_.path() / (name + ".journal"));
  };
  const std::string journal = make("one.h5", "Ada");
  make("twin.h5", "Ada");
  make("other.h5", "Bob");
  folder_.write("twin.h5.journal", journal);
  folder_.write("other.h5.journal", journal);

  // As many facts of the same encoder are in both.
  EXPECT_THAT(message_of<DataError>([&] { EditMemory::open(folder_.path() / "other.h5", kKind); }),
              HasSubstr("other.h5.journal: expected facts of the memory other.h5 as it is, found "
                        "those of another one"));
  // What was added to a twin is what would have been added here.
  EXPECT_EQ(EditMemory::open(folder_.path() / "twin.h5", kKind).fact(1).target, "Ada");

  // One that was folded since is another one, too.
  EditMemory folded = EditMemory::open(folder_.path() / "one.h5", kKind);
  folded.append(facts_of(2, 1), embeddings_of(2, 1));
  const std::string later = bytes_of(folder_.path() / "one.h5.journal");
  folded.close();
  folder_.write("twin.h5.journal", later);
  folder_.write("one.h5.journal", make("late.h5", "Eve"));
  EXPECT_EQ(EditMemory::open(folder_.path() / "twin.h5", kKind).size(), 3);
  EXPECT_THROW(EditMemory::open(folder_.path() / "one.h5", kKind), DataError);
}

}  // namespace
}  // namespace xkde
