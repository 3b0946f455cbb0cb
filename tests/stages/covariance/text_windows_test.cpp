#include "stages/covariance/text_windows.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TextWindowsTest : public testing::Test {
 protected:
  /// A text of one document a line; every letter is a token.
  void add_text(const std::string& content, const std::string& lang) {
    const std::string name = "text" + std::to_string(stage_.texts.size()) + ".txt";
    stage_.texts.push_back({folder_.write(name, content), "", lang, DocumentUnit::kLines});
  }
  /// The windows as texts, each behind the number of its text.
  std::vector<std::string> windows(int64_t length) {
    std::vector<std::string> all;
    for (const TextWindow& window : text_windows(stage_, tokenizer_, length).windows)
      all.push_back(std::to_string(window.text) + tokenizer_.decode(window.ids));
    return all;
  }

  const Tokenizer tokenizer_ = test::byte_tokenizer();
  test::TempFolder folder_;
  CovarianceStage stage_;
};

TEST_F(TextWindowsTest, CutEachDocumentByItself) {
  add_text("abcdefg\nxy\n\nklm\n", "en");  // "ab" is one token

  EXPECT_THAT(windows(3), ElementsAre("0abcd", "0efg", "0xy", "0klm"));
}

TEST_F(TextWindowsTest, TakeTheTextThatHasHadTheFewestTokens) {
  add_text("MMMMMM\nNN", "en");
  add_text("RR\nSS\nTT\nUU\nVV", "de");

  EXPECT_THAT(windows(4), ElementsAre("0MMMM", "1RR", "1SS", "0MM", "1TT", "0NN", "1UU", "1VV"));
}

TEST_F(TextWindowsTest, EndWithTheLastTokenThatIsWanted) {
  add_text("MMMM\nNNNN", "en");
  add_text("RRRR\nSSSS", "de");
  stage_.max_tokens = 10;

  const TextWindows all = text_windows(stage_, tokenizer_, 4);

  EXPECT_THAT(windows(4), ElementsAre("0MMMM", "1RRRR", "0NN"));
  EXPECT_EQ(all.tokens, 10);
  EXPECT_EQ(all.shares[0].tokens, 6);
  EXPECT_EQ(all.shares[0].documents, 2);
  EXPECT_EQ(all.shares[1].documents, 1);
}

TEST_F(TextWindowsTest, AreAllThereWithoutALimit) {
  add_text(std::string(1000, 'M'), "en");
  stage_.max_tokens = 0;

  EXPECT_EQ(text_windows(stage_, tokenizer_, 64).tokens, 1000);
}

TEST_F(TextWindowsTest, ArePackedInTheirOrderUpToTheLimit) {
  add_text("MMMM\nNNN\nOO\nPPPPP", "en");
  stage_.max_tokens_per_batch = 7;
  const TextWindows all = text_windows(stage_, tokenizer_, 4);

  const std::vector<WindowPack> packs = window_packs(stage_, all);

  ASSERT_EQ(packs.size(), 2U);
  EXPECT_THAT(packs[0].windows, ElementsAre(0, 1));
  EXPECT_EQ(packs[0].tokens, 7);
  EXPECT_THAT(packs[1].windows, ElementsAre(2, 3, 4));
  EXPECT_EQ(packs[1].language, "");
}

TEST_F(TextWindowsTest, OfEachLanguageArePackedByThemselves) {
  add_text("MMMM\nNNN", "en");
  add_text("RRRR\nSSS", "de");
  stage_.per_language = true;
  stage_.max_tokens_per_batch = 4;

  std::vector<std::string> languages;
  for (const WindowPack& pack : window_packs(stage_, text_windows(stage_, tokenizer_, 4)))
    languages.push_back(pack.language + std::to_string(pack.tokens));

  EXPECT_THAT(languages, ElementsAre("en4", "de4", "de3", "en3"));
}

TEST_F(TextWindowsTest, AWindowOfMoreThanAPackIsAlone) {
  add_text("MMMMMM\nN", "en");
  stage_.max_tokens_per_batch = 4;

  const std::vector<WindowPack> packs = window_packs(stage_, text_windows(stage_, tokenizer_, 6));

  ASSERT_EQ(packs.size(), 2U);
  EXPECT_EQ(packs[0].tokens, 6);
}

TEST_F(TextWindowsTest, OfABadTextAreAnError) {
  add_text("MM\n\xff\n", "en");
  EXPECT_THAT(test::message_of<DataError>([&] { windows(4); }),
              HasSubstr("text0.txt: line 2: expected UTF-8"));
}

}  // namespace
}  // namespace xkde::recipe
