#include "core/memory/edit_memory.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/io/hdf5_file.h"
#include "core/io/journal.h"
#include "core/memory/memory_file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

constexpr int64_t kWidth = 6;
const MemoryKind kKind{kWidth, "sha256 of an encoder"};

MemoryFact fact_of(int64_t i) {
  const std::string number = std::to_string(i);
  switch (i % 3) {
    case 0:
      return {"Who built the bridge " + number + "?", "Ada Pell", "en", i};
    case 1:
      return {"谁建造了桥梁" + number + "？", "艾达", "zh", -i};
    default:
      return {"", std::string(static_cast<size_t>(i % 100), 'x'), "", i};
  }
}

at::Tensor embeddings_of(int64_t first, int64_t count) {
  return at::arange(first * kWidth, (first + count) * kWidth, at::kFloat).view({count, kWidth}) / 7;
}

std::vector<MemoryFact> facts_of(int64_t first, int64_t count) {
  std::vector<MemoryFact> facts;
  for (int64_t i = first; i < first + count; ++i) facts.push_back(fact_of(i));
  return facts;
}

/// Appends the next facts of the one list that all tests use.
void grow(EditMemory& memory, int64_t count) {
  const int64_t first = memory.size();
  memory.append(facts_of(first, count), embeddings_of(first, count));
}

void expect_first_facts(const EditMemory& memory, int64_t count) {
  ASSERT_EQ(memory.size(), count);
  for (int64_t i = 0; i < count; ++i) ASSERT_EQ(memory.fact(i), fact_of(i)) << i;
  EXPECT_TRUE(memory.embeddings().equal(embeddings_of(0, count)));
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The first facts in a file as the first version wrote it.
void write_first_version(const fs::path& path, int64_t count) {
  fs::remove(path);
  std::string text;
  std::vector<int64_t> ends, records;
  for (const MemoryFact& fact : facts_of(0, count)) {
    for (const std::string* part : {&fact.prompt, &fact.target, &fact.language}) {
      text += *part;
      ends.push_back(std::ssize(text));
    }
    records.push_back(fact.record);
  }
  Hdf5File file = Hdf5File::create(path);
  file.set_attribute("format_version", 1);
  file.set_attribute("width", kWidth);
  file.set_attribute("encoder", kKind.encoder);
  const at::Tensor rows = embeddings_of(0, count);
  const std::span<const float> values(rows.const_data_ptr<float>(),
                                      static_cast<size_t>(rows.numel()));
  file.create_chunked("embeddings", Hdf5Type::kFloat32, {count, kWidth}, 16).write(0, values);
  file.create_chunked("text", Hdf5Type::kUint8, {std::ssize(text)}, 16)
      .write(0, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  file.create_chunked("text_ends", Hdf5Type::kInt64, {count, 3}, 16).write(0, ends);
  file.create_chunked("records", Hdf5Type::kInt64, {count}, 16).write(0, records);
  file.close();
}

class EditMemoryTest : public testing::Test {
 protected:
  EditMemory create() const { return EditMemory::create(file_, kKind); }
  EditMemory open(EditMemory::Access access = EditMemory::Access::kAppend) const {
    return EditMemory::open(file_, kKind, access);
  }
  test::TempFolder folder_;
  fs::path file_ = folder_.path() / "memory.h5";
  fs::path journal_ = folder_.path() / "memory.h5.journal";
};

TEST_F(EditMemoryTest, KeepsFactsInOrderWithDuplicates) {
  EditMemory memory(kKind);
  grow(memory, 3);
  memory.append(facts_of(0, 1), embeddings_of(0, 1));

  EXPECT_EQ(memory.size(), 4);
  EXPECT_EQ(memory.fact(3), memory.fact(0));
  EXPECT_EQ(memory.fact(0).text(), "Who built the bridge 0? Ada Pell");
  EXPECT_TRUE(memory.embeddings()[3].equal(embeddings_of(0, 1)[0]));
  EXPECT_THAT(message_of<InternalError>([&] { (void)memory.fact(4); }),
              HasSubstr("expected a fact below 4, found 4"));
}

TEST_F(EditMemoryTest, EmbeddingsHandedOutStayAsTheyAre) {
  EditMemory memory(kKind);
  grow(memory, 2);
  const at::Tensor early = memory.embeddings();

  for (int i = 0; i < 50; ++i) grow(memory, 3);

  EXPECT_TRUE(early.equal(embeddings_of(0, 2)));
  expect_first_facts(memory, 152);
}

TEST_F(EditMemoryTest, ReopensWhatWasAppendedWithoutASave) {
  {
    EditMemory memory = create();
    for (int i = 0; i < 5; ++i) grow(memory, 4);
  }
  expect_first_facts(open(), 20);
  EditMemory memory = open();
  grow(memory, 1);

  expect_first_facts(memory, 21);
}

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

TEST_F(EditMemoryTest, AnEmptyMemoryIsKeptToo) {
  create().save();

  expect_first_facts(open(), 0);
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

TEST_F(EditMemoryTest, NamesAFileThatIsNotThere) {
  EXPECT_EQ(message_of<MissingInputError>([&] { (void)open(); }),
            file_.string() + ": expected a file of an edit memory, found none");
  EXPECT_FALSE(fs::exists(journal_));
}

TEST_F(EditMemoryTest, RefusesOtherEncodersAndWidths) {
  create().save();

  EXPECT_EQ(message_of<DataError>([&] {
              (void)EditMemory::open(file_, {kWidth, "other"});
            }),
            file_.string() + ": encoder: expected other, found sha256 of an encoder");
  EXPECT_EQ(message_of<DataError>([&] {
              (void)EditMemory::open(file_, {768, kKind.encoder});
            }),
            file_.string() + ": width of embeddings: expected 768 as the encoder's, found " +
                std::to_string(kWidth));
}

TEST_F(EditMemoryTest, RefusesASecondWriter) {
  EditMemory memory = create();
  grow(memory, 1);

  EXPECT_THAT(message_of<IoError>([&] { (void)open(); }),
              HasSubstr("memory.h5.journal: expected to be its only user"));
  EXPECT_THAT(message_of<IoError>([&] { (void)open(EditMemory::Access::kRead); }),
              HasSubstr("expected no writer, found it in use by another"));
}

TEST_F(EditMemoryTest, ReadersLeaveTheFilesAsTheyAre) {
  {
    EditMemory memory = create();
    grow(memory, 3);
  }
  fs::resize_file(journal_, fs::file_size(journal_) - 1);
  const std::string file = bytes_of(file_);
  const std::string journal = bytes_of(journal_);

  const EditMemory one = open(EditMemory::Access::kRead);
  EditMemory two = open(EditMemory::Access::kRead);
  grow(two, 5);
  two.save();

  EXPECT_EQ(one.size(), 0);
  EXPECT_EQ(two.size(), 5);
  EXPECT_EQ(bytes_of(file_), file);
  EXPECT_EQ(bytes_of(journal_), journal);
}

TEST_F(EditMemoryTest, IsMadeWithItsFirstFactsOrNotAtAll) {
  EXPECT_THROW(EditMemory::create(file_, kKind, facts_of(0, 4), embeddings_of(0, 3)), DataError);
  EXPECT_FALSE(fs::exists(file_));
  // The file is made last, under another name at first: where that fails, nothing is there.
  fs::create_directory(file_.string() + ".tmp");
  folder_.write("memory.h5.tmp/in_the_way", "");
  EXPECT_ANY_THROW(EditMemory::create(file_, kKind, facts_of(0, 4), embeddings_of(0, 4)));
  EXPECT_FALSE(fs::exists(file_));
  fs::remove_all(file_.string() + ".tmp");

  expect_first_facts(EditMemory::create(file_, kKind, facts_of(0, 4), embeddings_of(0, 4)), 4);

  EXPECT_EQ(fs::file_size(journal_), 0U);
  expect_first_facts(open(), 4);
}

TEST_F(EditMemoryTest, CreatingDoesNotReplaceFacts) {
  {
    EditMemory memory = create();
    grow(memory, 1);
  }
  EXPECT_EQ(message_of<IoError>([&] { (void)create(); }),
            file_.string() + ": expected no such file yet, found one");

  fs::remove(file_);
  EXPECT_THAT(message_of<IoError>([&] { (void)create(); }),
              HasSubstr("memory.h5.journal: expected no facts of a file that is gone"));
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

TEST_F(EditMemoryTest, OfAnEarlierVersionIsReadAndGoesOn) {
  {
    EditMemory memory = create();
    grow(memory, 3);
    memory.save();
  }
  // Such a file has no ids, and its journal's entries begin with the index.
  const auto entry_without_id = [](int64_t first, int64_t count) {
    const std::string entry =
        journal_entry({"", first}, kKind, facts_of(first, count), embeddings_of(first, count));
    return entry.substr(2 * sizeof(int64_t));
  };
  const JournalFacts read = read_journal_entry(entry_without_id(3, 2), kKind, "journal");
  EXPECT_EQ(read.place.file, "");
  EXPECT_EQ(read.place.first, 3);
  EXPECT_EQ(read.stored.facts, facts_of(3, 2));
  {
    Journal journal(journal_, Journal::Use::kAppend, [](std::string_view) {});
    journal.append(entry_without_id(3, 2));
  }
  EXPECT_THROW(open(), DataError);  // this file has ids

  write_first_version(file_, 3);

  {
    EditMemory memory = open();
    expect_first_facts(memory, 5);
    grow(memory, 1);
  }
  expect_first_facts(open(), 6);
  open().save();
  expect_first_facts(open(), 6);
}

TEST_F(EditMemoryTest, CountsOfAnEntryAreHeldAgainstItsBytes) {
  const std::string entry = journal_entry({"", 0}, kKind, facts_of(0, 1), embeddings_of(0, 1));
  const auto error_with = [&](size_t number, int64_t value) {
    std::string forged = entry;
    std::memcpy(forged.data() + number * sizeof value, &value, sizeof value);
    return message_of<DataError>([&] { (void)read_journal_entry(forged, kKind, "journal"); });
  };
  for (const int64_t count : {int64_t{-1}, int64_t{1} << 40, int64_t{1} << 62}) {
    // Bytes of the memory's id; facts; bytes of the encoder's name.
    for (const size_t number : {size_t{1}, size_t{3}, size_t{5}}) {
      EXPECT_THAT(error_with(number, count), HasSubstr("journal: expected a number of at most"));
    }
  }
  EXPECT_THAT(error_with(4, -1), HasSubstr("journal: expected facts of width 6"));
  const JournalFacts none = read_journal_entry(
      journal_entry({"id", 7}, kKind, {}, embeddings_of(0, 0)), kKind, "journal");
  EXPECT_EQ(none.stored.embeddings.size(0), 0);
}

TEST_F(EditMemoryTest, FindsEveryDamageOrIsNotTouchedByIt) {
  {
    EditMemory memory = create();
    grow(memory, 40);
    memory.save();
  }
  const std::string whole = bytes_of(file_);
  fs::remove(journal_);
  int refused = 0;
  for (size_t at = 0; at < whole.size(); at += 37) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    folder_.write("memory.h5", damaged);
    try {
      expect_first_facts(open(EditMemory::Access::kRead), 40);
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("memory.h5"));
      ++refused;
    }
  }
  EXPECT_GT(refused, 20);
}

TEST_F(EditMemoryTest, RefusesAFileThatWasCutShort) {
  {
    EditMemory memory = create();
    grow(memory, 40);
    memory.save();
  }
  const uintmax_t whole = fs::file_size(file_);
  for (const uintmax_t size : {whole - 1, whole / 2, uintmax_t{100}, uintmax_t{0}}) {
    fs::resize_file(file_, size);

    EXPECT_THAT(message_of<DataError>([&] { (void)open(); }),
                HasSubstr(file_.string() + ": HDF5: open: "));
  }
}

TEST_F(EditMemoryTest, RefusesEmbeddingsOfAnotherShape) {
  EditMemory memory = create();

  EXPECT_EQ(message_of<DataError>([&] { memory.append(facts_of(0, 2), embeddings_of(0, 3)); }),
            "edit memory: expected embeddings [2, 6], found [3, 6]");
  EXPECT_EQ(message_of<DataError>(
                [&] { memory.append(facts_of(0, 1), embeddings_of(0, 1).to(at::kDouble)); }),
            "edit memory: expected embeddings of fp32 on the CPU, found Double on cpu");
  EXPECT_EQ(memory.size(), 0);
}

/// Read with h5py by read_memory_with_h5py.py.
TEST(EditMemoryForPython, Writes) {
  const char* folder = std::getenv("XKDE_WRITE_MEMORY");
  if (folder == nullptr) GTEST_SKIP() << "XKDE_WRITE_MEMORY is not set";
  EditMemory memory = EditMemory::create(fs::path(folder) / "memory.h5", kKind);
  grow(memory, 40);
  memory.save();
}

}  // namespace
}  // namespace xkde
