#include "core/io/atomic_file.h"

#include <csignal>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "core/io/file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

class AtomicFileTest : public testing::Test {
 protected:
  fs::path path() const { return folder_.path() / "f"; }
  std::ptrdiff_t num_files() const {
    return std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator());
  }
  test::TempFolder folder_;
};

TEST_F(AtomicFileTest, ReplacesTheContentAndLeavesNoOtherFile) {
  write_file_atomically(path(), "first");
  write_file_atomically(path(), "second\n");

  EXPECT_EQ(text_of_file(path()), "second\n");
  EXPECT_EQ(num_files(), 1);
}

/// In a process of its own.
void replace_on_a_full_disk(const fs::path& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
  setrlimit(RLIMIT_FSIZE, &limit);
  const auto act = [&] { write_file_atomically(path, std::string(5000, 'x')); };
  _exit(message_of<IoError>(act).find("File too large") == std::string::npos ? 1 : 0);
}

TEST_F(AtomicFileTest, AFailedWriteLeavesTheOldContentAndNoOtherFile) {
  write_file_atomically(path(), "first");

  EXPECT_EXIT(replace_on_a_full_disk(path()), testing::ExitedWithCode(0), "");

  EXPECT_EQ(text_of_file(path()), "first");
  EXPECT_EQ(num_files(), 1);
}

TEST_F(AtomicFileTest, AFolderThatIsNotThereIsNamed) {
  const fs::path nowhere = folder_.path() / "no" / "f";

  EXPECT_THAT(message_of<IoError>([&] { write_file_atomically(nowhere, "x"); }),
              HasSubstr(nowhere.string()));
}

TEST_F(AtomicFileTest, AFinishedFileTakesThePlaceOfAnother) {
  write_file_atomically(path(), "first");
  const fs::path finished = folder_.write("finished", "second");

  replace_file(finished, path());

  EXPECT_EQ(text_of_file(path()), "second");
  EXPECT_EQ(num_files(), 1);
  EXPECT_THROW(replace_file(finished, path()), IoError);
  EXPECT_EQ(text_of_file(path()), "second");
}

}  // namespace
}  // namespace xkde
