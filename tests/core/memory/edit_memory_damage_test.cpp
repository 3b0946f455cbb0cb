#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/hdf5_file.h"
#include "core/io/journal.h"
#include "core/memory/edit_memory.h"
#include "core/memory/memory_file.h"
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

}  // namespace
}  // namespace xkde
