#include "stages/run/json_lines.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

class JsonLinesTest : public testing::Test {
 protected:
  /// What is left of a file of `text` for a run that goes on from step 2.
  std::string kept_of(const std::string& text) {
    const fs::path path = folder_.write("m.jsonl", text);
    keep_lines_up_to(path, "step", 2);
    return text_of_file(path);
  }
  test::TempFolder folder_;
};

TEST_F(JsonLinesTest, EachObjectIsALineAtTheEnd) {
  const fs::path path = folder_.write("m.jsonl", "{\"step\":1}\n");
  {
    JsonLinesWriter writer(path);
    writer.append({{"step", 2}, {"loss", 0.5}});
    EXPECT_EQ(text_of_file(path), "{\"step\":1}\n{\"step\":2,\"loss\":0.5}\n");
  }
  JsonLinesWriter(path).append({{"step", 3}});

  EXPECT_EQ(text_of_file(path), "{\"step\":1}\n{\"step\":2,\"loss\":0.5}\n{\"step\":3}\n");
}

TEST_F(JsonLinesTest, AFileThatCannotBeMadeIsNamed) {
  EXPECT_THAT(message_of<IoError>([&] { JsonLinesWriter(folder_.path() / "no" / "m.jsonl"); }),
              HasSubstr("m.jsonl: expected a file to append to, found No such file"));
}

TEST_F(JsonLinesTest, LinesBehindTheLastStepAreCut) {
  EXPECT_EQ(kept_of("{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n"), "{\"step\":1}\n{\"step\":2}\n");
  EXPECT_EQ(kept_of("{\"step\":1}\n{\"step\":2}\n"), "{\"step\":1}\n{\"step\":2}\n");
  EXPECT_EQ(kept_of("{\"step\":3}\n"), "");
  EXPECT_EQ(kept_of(""), "");
}

TEST_F(JsonLinesTest, ATornLastLineIsCut) {
  EXPECT_EQ(kept_of("{\"step\":1}\n{\"step\":2}"), "{\"step\":1}\n");
  EXPECT_EQ(kept_of("{\"step\":1}\n{\"st"), "{\"step\":1}\n");
  EXPECT_EQ(kept_of("{\"step\":1}\n{\"st\n{\"step\":2}\n"), "{\"step\":1}\n");
  EXPECT_EQ(kept_of("{\"step\":1}\n{\"other\":1}\n"), "{\"step\":1}\n");
}

TEST_F(JsonLinesTest, TellsHowFarTheKeptLinesReach) {
  const auto reached = [&](const std::string& text) {
    return keep_lines_up_to(folder_.write("m.jsonl", text), "step", 5);
  };

  EXPECT_EQ(reached("{\"step\":1}\n{\"step\":2}\n"), 2);
  EXPECT_EQ(reached("{\"step\":4}\n{\"step\":5}\n{\"step\":6}\n"), 5);
  EXPECT_EQ(reached("{\"step\":6}\n"), std::nullopt);
  EXPECT_EQ(reached(""), std::nullopt);
}

TEST_F(JsonLinesTest, LinesOfAnotherKindEndThePast) {
  EXPECT_EQ(kept_of("{\"step\":1}\n[2]\n"), "{\"step\":1}\n");
  EXPECT_EQ(kept_of("{\"step\":1}\n{\"step\":\"2\"}\n"), "{\"step\":1}\n");
}

TEST_F(JsonLinesTest, AFileThatCannotBeReadIsLeftAsItIs) {
  fs::create_symlink("/proc/self/mem", folder_.path() / "m.jsonl");  // EIO

  EXPECT_THAT(message_of<IoError>([&] { keep_lines_up_to(folder_.path() / "m.jsonl", "step", 2); }),
              HasSubstr("m.jsonl: cannot be read: Input/output error"));
  EXPECT_TRUE(fs::is_symlink(folder_.path() / "m.jsonl"));
}

TEST_F(JsonLinesTest, AFileThatIsNotThereStaysAway) {
  EXPECT_EQ(keep_lines_up_to(folder_.path() / "none.jsonl", "step", 2), std::nullopt);

  EXPECT_FALSE(fs::exists(folder_.path() / "none.jsonl"));
}

}  // namespace
}  // namespace xkde::recipe
