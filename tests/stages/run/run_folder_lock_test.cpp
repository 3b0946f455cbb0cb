#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"
#include "stages/run/run_folder.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

TEST(RunFolderLock, AFolderHasOneRunAtATime) {
  const test::TempFolder folder;
  const fs::path path = folder.path() / "runs" / "one";
  {
    const RunFolder run(path);
    EXPECT_THAT(
        message_of<ConfigError>([&] { RunFolder second(path); }),
        testing::StartsWith(
            "output_dir: " + path.string() +
            ": expected a folder that no other run writes to, found one in use by process " +
            std::to_string(::getpid()) + " on "));
  }

  EXPECT_NO_THROW(RunFolder{path});
}

TEST(RunFolderLock, ALockThatIsALinkIsRefused) {
  const test::TempFolder folder;
  const fs::path target = folder.write("target", "kept");
  fs::create_symlink(target, folder.path() / ".lock");

  EXPECT_THAT(message_of<IoError>([&] { RunFolder run(folder.path()); }),
              HasSubstr(".lock: expected a lock file, found "));
}

TEST(RunFolderLock, AFolderThatCannotBeMadeIsNamed) {
  const test::TempFolder folder;
  const fs::path file = folder.write("file", "");

  EXPECT_THAT(message_of<IoError>([&] { RunFolder run(file / "run"); }),
              HasSubstr("file/run: expected to create a folder, found Not a directory"));
}

}  // namespace
}  // namespace xkde::recipe
