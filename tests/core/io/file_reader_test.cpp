#include "core/io/file_reader.h"

#include <filesystem>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

using test::message_of;
using test::TempFolder;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

static_assert(std::is_nothrow_move_constructible_v<LineReader>);
static_assert(!std::is_copy_constructible_v<LineReader>);

// A regular file whose first page no process has: the system refuses to read it (EIO).
const fs::path kUnreadable = "/proc/self/mem";

class FileReader : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  fs::path fifo() const {
    EXPECT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    return path("fifo");
  }

  TempFolder folder_;
};

TEST_F(FileReader, OnlyWhatIsNotThereIsAbsent) {
  const fs::path file = folder_.write("f", "text");
  fs::create_symlink("loop", path("loop"));
  fs::create_symlink("none", path("dangling"));
  const fs::path longer = path(std::string(5000, 'x'));

  for (const FileOrigin origin : {FileOrigin::kInput, FileOrigin::kOwn}) {
    EXPECT_TRUE(is_there(file, origin));
    EXPECT_TRUE(is_there(folder_.path(), origin));
    for (const fs::path& absent : {path("none"), file / "below", path("dangling")}) {
      EXPECT_FALSE(is_there(absent, origin)) << absent;
      EXPECT_FALSE(text_if_there(absent, origin)) << absent;
      EXPECT_FALSE(LineReader::open_if_there(absent, origin)) << absent;
    }
  }
  for (const fs::path& refused : {path("loop"), longer}) {
    EXPECT_THROW(is_there(refused, FileOrigin::kInput), MissingInputError);
    EXPECT_THROW(is_there(refused, FileOrigin::kOwn), IoError);
    EXPECT_THROW(text_if_there(refused, FileOrigin::kInput), MissingInputError);
    EXPECT_THROW(text_if_there(refused, FileOrigin::kOwn), IoError);
    EXPECT_THROW(entries_of(refused, FileOrigin::kOwn), IoError);
  }
  EXPECT_THAT(message_of<IoError>([&] { is_there(path("loop"), FileOrigin::kOwn); }),
              AllOf(HasSubstr(path("loop").string()), HasSubstr("Too many levels")));
}

TEST_F(FileReader, SaysWhatStandsAtAPath) {
  const fs::path file = folder_.write("f", "text");
  fs::create_directory(path("folder"));
  fs::create_symlink("f", path("link"));
  fs::create_symlink("none", path("dangling"));

  const auto kind = [](const fs::path& path) { return kind_at(path, FileOrigin::kOwn); };
  EXPECT_EQ(kind(file), PathKind::kFile);
  EXPECT_EQ(kind(path("folder")), PathKind::kFolder);
  EXPECT_EQ(kind(path("link")), PathKind::kFile);
  EXPECT_EQ(kind(path("dangling")), PathKind::kNothing);
  EXPECT_EQ(kind(fifo()), PathKind::kOther);
  EXPECT_EQ(kind_of_name(path("link"), FileOrigin::kOwn), PathKind::kLink);
  EXPECT_EQ(kind_of_name(path("dangling"), FileOrigin::kOwn), PathKind::kLink);
  EXPECT_EQ(kind_of_name(path("none"), FileOrigin::kOwn), PathKind::kNothing);
  EXPECT_TRUE(is_folder(path("folder"), FileOrigin::kOwn));
  EXPECT_FALSE(is_folder(file, FileOrigin::kOwn));
}

TEST_F(FileReader, KnowsAPlaceByMoreThanItsName) {
  const fs::path file = folder_.write("f", "text");
  fs::create_symlink("f", path("link"));
  const auto same = [](const fs::path& one, const fs::path& other) {
    return is_same_place(one, other, FileOrigin::kOwn);
  };

  EXPECT_TRUE(same(path("link"), file));
  EXPECT_FALSE(same(folder_.write("other", "text"), file));
  EXPECT_FALSE(same(path("none"), file));
  EXPECT_FALSE(same(path("none"), path("none")));
}

TEST_F(FileReader, ANameThatIsTakenIsAnIoErrorThatSaysByWhat) {
  const auto told = [this](const std::string& name) {
    return message_of<IoError>([&] { refuse_taken(path(name), "nothing there"); });
  };
  folder_.write("f", "text");
  fs::create_directory(path("d"));
  fs::create_symlink("nowhere", path("l"));
  EXPECT_THAT(told("f"), HasSubstr("f: expected nothing there, found a file; nothing is replaced"));
  EXPECT_THAT(told("d"), HasSubstr("found a folder with files; nothing"));
  EXPECT_THAT(told("l"), HasSubstr("found a link; nothing"));
}

TEST_F(FileReader, AnErrorIsNeverAnAnswer) {
  const fs::path longer = path(std::string(5000, 'x'));
  for (const auto& ask : std::vector<std::function<void(FileOrigin)>>{
           [&](FileOrigin origin) { kind_at(longer, origin); },
           [&](FileOrigin origin) { kind_of_name(longer, origin); },
           [&](FileOrigin origin) { is_folder(longer, origin); },
           [&](FileOrigin origin) { is_same_place(folder_.path(), longer, origin); }}) {
    EXPECT_THROW(ask(FileOrigin::kInput), MissingInputError);
    EXPECT_THAT(message_of<IoError>([&] { ask(FileOrigin::kOwn); }),
                HasSubstr("expected to find out whether it is there, found File name too long"));
  }
}

TEST_F(FileReader, AnAbsentFileIsTheErrorOfItsOriginWhereItMustBeThere) {
  EXPECT_THAT(message_of<MissingInputError>([&] { read_text(path("none"), FileOrigin::kInput); }),
              HasSubstr("none: expected a file, found none"));
  EXPECT_THROW(read_text(path("none"), FileOrigin::kOwn), IoError);
  EXPECT_THROW(LineReader(path("none"), FileOrigin::kInput), MissingInputError);
}

TEST_F(FileReader, AReadThatFailsIsNoEnd) {
  for (const auto& read : std::vector<std::function<void(FileOrigin)>>{
           [](FileOrigin origin) { read_text(kUnreadable, origin); },
           [](FileOrigin origin) { text_if_there(kUnreadable, origin); },
           [](FileOrigin origin) {
             std::string line;
             LineReader(kUnreadable, origin).next(line);
           }}) {
    EXPECT_THAT(message_of<MissingInputError>([&] { read(FileOrigin::kInput); }),
                HasSubstr("/proc/self/mem: cannot be read: Input/output error"));
    EXPECT_THAT(message_of<IoError>([&] { read(FileOrigin::kOwn); }),
                HasSubstr("/proc/self/mem: cannot be read: Input/output error"));
  }
}

TEST_F(FileReader, WhatReadsInputsReadsOwnFilesToo) {
  const auto read = [&] { return read_text(path("none"), FileOrigin::kInput); };

  EXPECT_THROW(read_as(FileOrigin::kInput, read), MissingInputError);
  EXPECT_THROW(read_as(FileOrigin::kOwn, read), IoError);
}

TEST_F(FileReader, RefusesWhatIsNoRegularFileAtOnce) {
  const auto read = [](const fs::path& path) { read_text(path, FileOrigin::kInput); };

  EXPECT_THAT(message_of<MissingInputError>([&] { read(fifo()); }),
              HasSubstr("fifo: expected a regular file, found a FIFO"));
  EXPECT_THAT(message_of<MissingInputError>([&] { read(folder_.path()); }),
              HasSubstr("expected a regular file, found a folder"));
  EXPECT_THAT(message_of<MissingInputError>([&] { read("/dev/zero"); }),
              HasSubstr("/dev/zero: expected a regular file, found a device"));
}

TEST_F(FileReader, ReadsWholeFilesUpToTheirLimit) {
  const std::string big(300'000, 'b');

  EXPECT_EQ(read_text(folder_.write("empty", ""), FileOrigin::kInput), "");
  EXPECT_EQ(read_text(folder_.write("big", big), FileOrigin::kInput), big);
  EXPECT_THAT(text_if_there(path("big"), FileOrigin::kOwn, 300'000), Optional(big));
  EXPECT_THAT(message_of<DataError>([&] { read_text(path("big"), FileOrigin::kOwn, 299'999); }),
              HasSubstr("big: expected at most 299999 bytes, found 300000"));
  // The system says that it has no bytes.
  EXPECT_THAT(read_text("/proc/self/status", FileOrigin::kOwn), HasSubstr("VmHWM:"));
  EXPECT_THROW(read_text("/proc/self/status", FileOrigin::kOwn, 8), DataError);
}

TEST_F(FileReader, ASparseFileIsRefusedBeforeItIsRead) {
  const fs::path sparse = folder_.write("sparse", "");
  fs::resize_file(sparse, uintmax_t{1} << 40);

  EXPECT_THAT(message_of<DataError>([&] { read_text(sparse, FileOrigin::kInput); }),
              HasSubstr("found 1099511627776"));
}

TEST_F(FileReader, ListsAFolderInOrder) {
  folder_.write("b", "");
  folder_.write("a", "");

  EXPECT_THAT(entries_of(folder_.path(), FileOrigin::kInput), ElementsAre(path("a"), path("b")));
  EXPECT_THROW(entries_of(path("none"), FileOrigin::kInput), MissingInputError);
}

struct Line {
  std::string text;
  bool is_whole;
  int64_t end;
  bool operator==(const Line&) const = default;
};

std::vector<Line> lines_of(LineReader lines) {
  std::vector<Line> all;
  for (std::string text; lines.next(text);) {
    all.push_back({text, lines.is_whole(), lines.end()});
    EXPECT_EQ(lines.number(), std::ssize(all));
  }
  return all;
}

TEST_F(FileReader, LinesSayWhetherTheyAreWhole) {
  const auto lines = [&](const std::string& text, int64_t from = 0) {
    return lines_of(LineReader(folder_.write("lines", text), FileOrigin::kInput, from));
  };

  EXPECT_THAT(lines(""), ElementsAre());
  EXPECT_THAT(lines("a\n"), ElementsAre(Line{"a", true, 2}));
  EXPECT_THAT(lines("a\n\nbc"),
              ElementsAre(Line{"a", true, 2}, Line{"", true, 3}, Line{"bc", false, 5}));
  EXPECT_THAT(lines("a\n\nbc", 3), ElementsAre(Line{"bc", false, 5}));
}

TEST_F(FileReader, LinesMayBeLongerThanAPiece) {
  const std::string first(200'000, 'x');
  const std::string second(65'536, 'y');
  const fs::path file = folder_.write("long", first + "\n" + second + "\nz");

  EXPECT_THAT(lines_of(LineReader(file, FileOrigin::kOwn)),
              ElementsAre(Line{first, true, 200'001}, Line{second, true, 265'538},
                          Line{"z", false, 265'539}));
}

}  // namespace
}  // namespace xkde
