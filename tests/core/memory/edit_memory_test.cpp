#include "core/memory/edit_memory.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
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

TEST_F(EditMemoryTest, AnEmptyMemoryIsKeptToo) {
  create().save();

  expect_first_facts(open(), 0);
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
