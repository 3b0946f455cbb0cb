#include "stages/run/fresh_folder.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>

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
using testing::ElementsAre;
using testing::HasSubstr;

class FreshFolderTest : public testing::Test {
 protected:
  /// An export of one file.
  void publish(const std::string& text, const std::string& name = "config.json",
               const std::string& origin = "a training") {
    FreshFolder fresh(target_);
    std::ofstream(fresh.path() / name) << text;
    fresh.publish(origin);
  }
  std::set<std::string> names(const fs::path& folder) const {
    std::set<std::string> all;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
      all.insert(entry.path().filename().string());
    return all;
  }
  std::string refusal() const {
    return message_of<ConfigError>([&] { check_replaceable(target_); });
  }

  test::TempFolder root_;
  fs::path target_ = root_.path() / "h";
};

TEST_F(FreshFolderTest, TakesTheNameWhenItIsPublished) {
  publish("new");

  EXPECT_EQ(text_of_file(target_ / "config.json"), "new");
  EXPECT_THAT(names(target_), ElementsAre(kExportMark, "config.json"));
  EXPECT_THAT(names(root_.path()), ElementsAre("h"));
}

TEST_F(FreshFolderTest, TakesThePlaceOfAnEarlierOneAndOfAnEmptyFolder) {
  fs::create_directory(target_);
  publish("one", "old.json");
  publish("two");

  EXPECT_EQ(text_of_file(target_ / "config.json"), "two");
  EXPECT_THAT(names(target_), ElementsAre(kExportMark, "config.json"));
  EXPECT_THAT(names(root_.path()), ElementsAre("h"));
}

TEST_F(FreshFolderTest, ThatIsNotPublishedLeavesNothing) {
  { const FreshFolder fresh(root_.path() / "a" / "h"); }

  EXPECT_THAT(names(root_.path() / "a"), testing::IsEmpty());
}

TEST_F(FreshFolderTest, TakesNoNamesOfOthers) {
  for (const char* name : {"h.new", "h.tmp", "h.new.tmp", ".xkde-mine", ".xkde-1-elsewhere-0"})
    fs::create_directories(root_.path() / name / "kept");
  publish("one");
  publish("two");

  EXPECT_THAT(names(root_.path()),
              ElementsAre(".xkde-1-elsewhere-0", ".xkde-mine", "h", "h.new", "h.new.tmp", "h.tmp"));
}

TEST_F(FreshFolderTest, RemovesWhatAKilledProcessLeft) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const FreshFolder fresh(target_);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(names(root_.path()).size(), 1U);

  publish("new");

  EXPECT_THAT(names(root_.path()), ElementsAre("h"));
}

TEST_F(FreshFolderTest, ReplacesNoFolderThatHoldsAnythingElse) {
  publish("one");
  std::ofstream(target_ / "notes") << "mine";
  FreshFolder fresh(target_);

  EXPECT_EQ(message_of<ConfigError>([&] { fresh.publish("a training"); }),
            target_.string() +
                ": expected nothing there, an empty folder or an export as it was written, found "
                "notes, which no export wrote; move it, or name another folder");
  EXPECT_EQ(text_of_file(target_ / "config.json"), "one");
  EXPECT_EQ(text_of_file(target_ / "notes"), "mine");
}

TEST_F(FreshFolderTest, ReplacesNoFolderOfAnotherOrigin) {
  EXPECT_EQ(export_origin(target_), std::nullopt);
  publish("one");
  EXPECT_EQ(export_origin(target_), "a training");

  EXPECT_EQ(message_of<ConfigError>([&] { publish("two", "config.json", "another"); }),
            target_.string() +
                ": expected nothing there or an earlier export of the same weights, found one of "
                "others; move it, or name another folder");
  EXPECT_EQ(text_of_file(target_ / "config.json"), "one");
  EXPECT_THAT(names(root_.path()), ElementsAre("h"));
}

TEST_F(FreshFolderTest, ThatTellsNoOriginIsReplacedByNone) {
  publish("one");
  std::ofstream(target_ / kExportMark) << R"({"files": {"config.json": 3}})";

  EXPECT_EQ(export_origin(target_), "");
  EXPECT_THAT(message_of<ConfigError>([&] { publish("two"); }), HasSubstr("found one of others"));
}

TEST_F(FreshFolderTest, ReplacesNoFileThatWasChanged) {
  publish("one");
  std::ofstream(target_ / "config.json") << "longer";
  EXPECT_THAT(refusal(), HasSubstr("config.json, which was changed after the export"));

  std::ofstream(target_ / "config.json") << "two";
  fs::last_write_time(target_ / "config.json",
                      fs::last_write_time(target_ / kExportMark) + std::chrono::seconds(5));
  EXPECT_THAT(refusal(), HasSubstr("config.json, which was changed after the export"));
}

TEST_F(FreshFolderTest, ReplacesNoFolderWithoutItsMark) {
  publish("one");
  fs::remove(target_ / kExportMark);
  EXPECT_THAT(refusal(), HasSubstr("found a folder without .xkde_export.json"));

  std::ofstream(target_ / kExportMark) << "{";
  EXPECT_THAT(refusal(), HasSubstr("found a folder without .xkde_export.json"));
}

TEST_F(FreshFolderTest, AMarkedFolderWithAFolderInItStays) {
  publish("one");
  fs::create_directory(target_ / "sub");

  EXPECT_THAT(refusal(), HasSubstr("found sub, which no export wrote"));
}

TEST_F(FreshFolderTest, ALinkToAFolderStaysALink) {
  fs::create_directory(root_.path() / "real");
  fs::create_directory_symlink("real", target_);
  publish("one");

  EXPECT_TRUE(fs::is_symlink(target_));
  EXPECT_EQ(text_of_file(root_.path() / "real" / "config.json"), "one");
}

TEST_F(FreshFolderTest, NamesAsideAreFree) {
  EXPECT_EQ(name_aside(target_), root_.path() / "h.old-1");
  fs::create_directory(root_.path() / "h.old-1");
  EXPECT_EQ(name_aside(target_), root_.path() / "h.old-2");
}

TEST_F(FreshFolderTest, ANewFolderIsThereWholeWithThoseAboveIt) {
  const fs::path deep = root_.path() / "a/b/c";

  make_new_folder(deep, [](const fs::path& filled) { std::ofstream(filled / "x") << "text"; });

  EXPECT_EQ(text_of_file(deep / "x"), "text");
  EXPECT_THAT(names(root_.path() / "a/b"), ElementsAre("c"));
}

TEST_F(FreshFolderTest, ANewFolderThatIsNotWholeLeavesNothing) {
  EXPECT_THAT(message_of<IoError>([&] {
                make_new_folder(root_.path() / "a/b/c", [](const fs::path& filled) {
                  std::ofstream(filled / "x") << "half";
                  throw IoError("disk full");
                });
              }),
              HasSubstr("disk full"));
  EXPECT_THAT(names(root_.path()), testing::IsEmpty());
}

TEST_F(FreshFolderTest, ANewFolderReplacesNothing) {
  const auto fill = [](const fs::path& filled) { std::ofstream(filled / "x") << "new"; };
  fs::create_directory(target_);
  make_new_folder(target_, fill);  // an empty folder is nothing

  EXPECT_THAT(message_of<IoError>([&] { make_new_folder(target_, fill); }),
              HasSubstr("expected nothing there, or an empty folder, found a folder with files; "
                        "nothing is replaced, name another"));
}

}  // namespace
}  // namespace xkde::recipe
