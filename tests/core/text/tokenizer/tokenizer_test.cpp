#include "core/text/tokenizer/tokenizer.h"

#include <ctime>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/text/error_of.h"
#include "tests/core/text/tokenizer/golden.h"
#include "tests/support/byte_tokenizer.h"

namespace {

using namespace xkde;
using namespace xkde::test;
using testing::HasSubstr;

Json golden_json(const std::string& name) {
  return read_json_file(golden_folder() / (name + ".tokenizer.json"));
}

TEST(Tokenizer, ThreadsGetTheSameIds) {
  const Tokenizer tokenizer =
      Tokenizer::from_json(golden_json("qwen2_style"), nullptr, "qwen2_style");
  std::vector<std::string> texts = golden_texts();
  texts.resize(90);
  std::vector<std::vector<Ids>> found(4);

  std::vector<std::thread> threads;
  for (auto& mine : found) {
    threads.emplace_back([&] {
      for (const std::string& text : texts) mine.push_back(tokenizer.encode(text));
    });
  }
  for (std::thread& thread : threads) thread.join();

  for (const auto& other : found) EXPECT_EQ(other, found.front());
}

TEST(Tokenizer, InvalidUtf8IsADataErrorThatNamesTheOffset) {
  const Tokenizer tokenizer = byte_tokenizer();

  EXPECT_THAT(error_of([&] { tokenizer.encode("ok\xC3("); }),
              HasSubstr("DataError: text to encode: expected UTF-8, found byte 195 at offset 2"));
  EXPECT_THAT(error_of([&] { tokenizer.encode("\xED\xA0\x80"); }),
              HasSubstr("found byte 237 at offset 0"));
}

TEST(Tokenizer, DecodeLeavesOutIdsWithoutTokensAndRefusesNegativeOnes) {
  const Tokenizer tokenizer = byte_tokenizer();
  const Ids ids{10 + 'x' - 32, 5, 9999, 10 + 'y' - 32};

  EXPECT_EQ(tokenizer.decode(ids), "xy");
  EXPECT_THAT(error_of([&] { tokenizer.decode(Ids{-100}); }),
              HasSubstr("DataError: ids to decode: expected none below 0, found -100"));
}

TEST(Tokenizer, IdsLeadBackToTokensAsTheVocabularySpellsThem) {
  const Tokenizer tokenizer = byte_tokenizer();

  EXPECT_EQ(tokenizer.id_to_token(8), "ab");
  EXPECT_EQ(tokenizer.id_to_token(10), "\u0120") << "the blank's letter";
  EXPECT_EQ(tokenizer.id_to_token(2), "<|im_start|>");
  EXPECT_EQ(tokenizer.id_to_token(5), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_token(-1), std::nullopt);
}

TEST(Tokenizer, VocabularySizeIsTheLargestIdAndOne) {
  EXPECT_EQ(byte_tokenizer().vocab_size(), 10 + 126 - 32 + 1);
}

TEST(Tokenizer, ConfigAddsBosAndEosOnlyWhereTheFileHasNoPostProcessor) {
  Json json = golden_json("smollm_style");
  const Json config{{"bos_token", {{"content", "<|im_start|>"}}},
                    {"eos_token", "<|im_end|>"},
                    {"pad_token", nullptr},
                    {"add_bos_token", true},
                    {"add_eos_token", true}};

  const Tokenizer adds = Tokenizer::from_json(json, config, "config");
  json["post_processor"] = {{"type", "ByteLevel"},
                            {"add_prefix_space", true},
                            {"trim_offsets", true},
                            {"use_regex", true}};
  const Tokenizer plain = Tokenizer::from_json(json, config, "config");

  const Ids ids = adds.encode("the bridge");
  Ids whole{1};
  whole.insert(whole.end(), ids.begin(), ids.end());
  whole.push_back(2);
  EXPECT_EQ(adds.encode("the bridge", true), whole);
  EXPECT_EQ(plain.encode("the bridge", true), ids);
  EXPECT_EQ(adds.bos_id(), 1);
  EXPECT_EQ(adds.pad_id(), std::nullopt);
}

TEST(Tokenizer, ConfigOfAFileWithoutOneIsThatOfAGenericTokenizer) {
  const Json json = golden_json("smollm_style");

  EXPECT_EQ(Tokenizer::from_json(json, nullptr, "x").to_tokenizer_config(),
            Json({{"tokenizer_class", "PreTrainedTokenizerFast"}}));
}

TEST(Tokenizer, TruncationAndPaddingOfTheFileAreNotApplied) {
  Json json = golden_json("smollm_style");
  const Ids ids = Tokenizer::from_json(json, nullptr, "x").encode("the old stone bridge");
  json["truncation"] = {
      {"direction", "Right"}, {"max_length", 1}, {"strategy", "LongestFirst"}, {"stride", 0}};

  EXPECT_EQ(Tokenizer::from_json(json, nullptr, "x").encode("the old stone bridge", true), ids);
}

TEST(Tokenizer, LongWordsTakeTimeInProportion) {
  const Tokenizer tokenizer =
      Tokenizer::from_json(golden_json("llama2_style"), nullptr, "llama2_style");
  std::string word;
  for (int i = 0; i < 100000; ++i) word += static_cast<char>('a' + i * 7 % 26);

  const std::clock_t start = std::clock();
  const Ids ids = tokenizer.encode(word);
  const std::clock_t taken = std::clock() - start;  // of the processor, which others may use too

  EXPECT_EQ(tokenizer.decode(ids), word);
  EXPECT_LT(taken, 5 * CLOCKS_PER_SEC) << "quadratic work would take minutes";
}

}  // namespace
