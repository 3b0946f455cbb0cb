#include "core/text/tokenizer/word_piece.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/limits.h"
#include "core/io/json_file.h"
#include "tests/core/text/error_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::error_of;
using test::TempFolder;
using testing::HasSubstr;

/// Pieces of "aaa…": one letter, at the start of a word and later.
Json tokenizer_json() {
  return {{"model",
           {{"type", "WordPiece"},
            {"vocab", {{"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 2}, {"a", 3}, {"##a", 4}}},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"}}},
          {"normalizer", {{"type", "BertNormalizer"}}},
          {"post_processor",
           {{"type", "BertProcessing"}, {"sep", {"[SEP]", 2}}, {"cls", {"[CLS]", 1}}}}};
}

WordPiece open(const Json& json) {
  const TempFolder folder;
  folder.write("tokenizer.json", json.dump());
  return WordPiece::open(folder.path());
}

TEST(WordPiece, PartsWordsOfUpToTheModelsLength) {
  Json json = tokenizer_json();
  json["model"]["max_input_chars_per_word"] = 3;
  const WordPiece words = open(json);

  EXPECT_EQ(words.encode("aaa", 64), (std::vector<int64_t>{1, 3, 4, 4, 2}));
  EXPECT_EQ(words.encode("aaaa", 64), (std::vector<int64_t>{1, 0, 2}));
}

TEST(WordPiece, TheWorkForAWordIsLimited) {
  Json json = tokenizer_json();
  json["model"]["max_input_chars_per_word"] = limits::kLongestWord;
  EXPECT_EQ(open(json).encode(std::string(limits::kLongestWord, 'a'), 2000).size(),
            static_cast<size_t>(limits::kLongestWord) + 2);

  json["model"]["max_input_chars_per_word"] = limits::kLongestWord + 1;
  EXPECT_THAT(error_of([&] { open(json); }),
              HasSubstr("tokenizer.json: model.max_input_chars_per_word: expected "));

  json = tokenizer_json();
  json["model"]["continuing_subword_prefix"] = std::string(limits::kLongestWordPrefix + 1, '#');
  EXPECT_THAT(error_of([&] { open(json); }),
              HasSubstr("tokenizer.json: model.continuing_subword_prefix: expected at most 64 "
                        "bytes, found "));
}

}  // namespace
}  // namespace xkde
