#include "core/evaluate/judge/verdict_cache.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

const JudgeQuestion kAsked{"q", {"a", "b"}, "c"};
const JudgeVerdict kSaid{-0.1F, -2.5};

std::vector<fs::path> files_in(const fs::path& folder) {
  return entries_of(folder, FileOrigin::kOwn);
}

TEST(VerdictCache, KnowsWhatWasSaidAtTheNextStart) {
  const test::TempFolder folder;
  const fs::path place = folder.path() / "a" / "b";
  VerdictCache(place, "judge").add({{kAsked, kSaid}});

  const auto found = VerdictCache(place, "judge").find(kAsked);

  ASSERT_TRUE(found);
  EXPECT_EQ(found->yes, kSaid.yes);  // bit for bit
  EXPECT_EQ(found->no, kSaid.no);
}

TEST(VerdictCache, TellsQuestionsAndJudgesApart) {
  const test::TempFolder folder;
  VerdictCache(folder.path(), "judge").add({{kAsked, kSaid}});

  const VerdictCache cache(folder.path(), "judge");

  EXPECT_FALSE(cache.find({"q", {"a", "b"}, "d"}));
  EXPECT_FALSE(cache.find({"q", {"a"}, "c"}));
  EXPECT_FALSE(cache.find({"q", {"a | b"}, "c"}));
  EXPECT_FALSE(cache.find({"p", {"a", "b"}, "c"}));
  EXPECT_FALSE(VerdictCache(folder.path(), "another").find(kAsked));
}

TEST(VerdictCache, SeveralMayAddToOneFolder) {
  const test::TempFolder folder;
  const JudgeQuestion other{"p", {"a"}, "c"};
  VerdictCache one(folder.path(), "judge"), two(folder.path(), "judge");
  one.add({{kAsked, kSaid}});
  two.add({{other, kSaid}});
  two.add({});

  EXPECT_EQ(files_in(folder.path()).size(), 2U);
  const VerdictCache all(folder.path(), "judge");
  EXPECT_TRUE(all.find(kAsked));
  EXPECT_TRUE(all.find(other));
}

TEST(VerdictCache, LeavesOutWhatIsDamagedOrCutAndKeepsTheRest) {
  const test::TempFolder folder;
  const JudgeQuestion other{"p", {"a"}, "c"};
  VerdictCache cache(folder.path(), "judge");
  cache.add({{kAsked, kSaid}});
  const fs::path file = files_in(folder.path()).front();
  const std::string whole = read_text(file, FileOrigin::kOwn);
  cache.add({{other, kSaid}});
  folder.write("notes.json", "not ours");

  std::string flipped = whole;
  flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 1);
  for (const std::string& bad : {flipped, whole.substr(0, whole.size() / 2), std::string()}) {
    folder.write(file.filename().string(), bad);
    const VerdictCache read(folder.path(), "judge");
    EXPECT_FALSE(read.find(kAsked));
    EXPECT_TRUE(read.find(other));
  }
  // What is asked again stands there again.
  VerdictCache(folder.path(), "judge").add({{kAsked, kSaid}});
  EXPECT_TRUE(VerdictCache(folder.path(), "judge").find(kAsked));
}

TEST(VerdictCache, NeedsAFolder) {
  const test::TempFolder folder;
  const fs::path file = folder.write("file", "");
  EXPECT_THROW(VerdictCache(file, "judge"), IoError);
}

}  // namespace
}  // namespace xkde
