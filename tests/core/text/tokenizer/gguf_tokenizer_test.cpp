#include "core/text/tokenizer/gguf_tokenizer.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/file_reader.h"
#include "core/text/tokenizer/sentencepiece_vocabulary.h"
#include "core/text/tokenizer/tokenizer.h"
#include "tests/core/text/error_of.h"
#include "tests/core/text/tokenizer/golden.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/temp_folder.h"

namespace {

using namespace xkde;
using namespace xkde::test;
using testing::HasSubstr;

GgufFile written(const TempFolder& folder, const Tokenizer& tokenizer,
                 const GgufModelIds& ids = {}) {
  GgufMetadata metadata;
  add_gguf_tokenizer(tokenizer, ids, metadata);
  GgufFileWriter writer(folder.path() / "m.gguf", metadata, {});
  writer.publish();
  return GgufFile::open(folder.path() / "m.gguf");
}

Tokenizer golden_tokenizer(const std::string& name, const Json& config = nullptr) {
  return Tokenizer::from_json(read_json_file(golden_folder() / (name + ".tokenizer.json")), config,
                              name);
}

/// Of a folder that tests/golden/make_sentencepiece.py wrote.
Tokenizer sentencepiece_tokenizer(const std::string& name) {
  const std::filesystem::path folder =
      std::filesystem::path(XKDE_SOURCE_DIR "/tests/golden/sentencepiece") / name;
  const TokenizerFiles files = tokenizer_files_from_sentencepiece(
      read_text(folder / "tokenizer.model", FileOrigin::kInput),
      read_json_file(folder / "tokenizer_config.json"), nullptr, name);
  return Tokenizer::from_json(files.tokenizer, files.config, name);
}

void expect_same(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  const TempFolder folder;
  const Tokenizer again = Tokenizer::from_gguf(written(folder, tokenizer));
  for (const std::string& text : texts) {
    const Ids ids = tokenizer.encode(text, true);
    EXPECT_EQ(again.encode(text, true), ids) << text.substr(0, 80);
    EXPECT_EQ(again.decode(ids), tokenizer.decode(ids)) << text.substr(0, 80);
  }
}

TEST(GgufTokenizer, WhatIsReadBackGivesTheSameIds) {
  const Json ends{{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  expect_same(golden_tokenizer("smollm_style"), golden_texts());
  expect_same(golden_tokenizer("qwen2_style"), golden_texts());
  expect_same(golden_tokenizer("llama3_style", ends), golden_texts());
  const std::vector<std::string> texts = {"Hello world", "a  b\nc ", "naïve 東京 12", "x<s>", ""};
  expect_same(sentencepiece_tokenizer("gemma"), texts);
  expect_same(sentencepiece_tokenizer("llama_legacy"), texts);
}

TEST(GgufTokenizer, SpecialIdsAreKept) {
  const TempFolder folder;
  const Tokenizer tokenizer = byte_tokenizer(/*adds_bos=*/true);
  const GgufFile file = written(folder, tokenizer, {.rows = 200, .pad = 50, .ends = {1, 3, 3, 4}});
  EXPECT_EQ(file.integer("tokenizer.ggml.bos_token_id"), 0);
  EXPECT_EQ(file.integer("tokenizer.ggml.eos_token_id"), 1);
  EXPECT_EQ(file.integer("tokenizer.ggml.eot_token_id"), 3);
  EXPECT_EQ(file.integer("tokenizer.ggml.eom_token_id"), 4);
  EXPECT_FALSE(file.has("tokenizer.ggml.padding_token_id")) << "id 50 is no special token";
  EXPECT_TRUE(file.boolean("tokenizer.ggml.add_bos_token"));
  EXPECT_FALSE(file.boolean("tokenizer.ggml.add_eos_token"));
  ASSERT_EQ(file.strings("tokenizer.ggml.tokens").size(), 200U);
  EXPECT_EQ(file.strings("tokenizer.ggml.tokens")[199], "[PAD199]");
  EXPECT_EQ(file.integers("tokenizer.ggml.token_type")[199], 5);
  EXPECT_EQ(Tokenizer::from_gguf(file).encode("ab", true), (Ids{0, 8}));
}

TEST(GgufTokenizer, AnEndWithoutAKeyIsNamed) {
  GgufMetadata metadata;
  EXPECT_TRUE(add_gguf_tokenizer(byte_tokenizer(), {.ends = {1, 3, 4}}, metadata).empty());
  const std::vector<std::string> lines =
      add_gguf_tokenizer(byte_tokenizer(), {.ends = {1, 3, 4, 5, 6}}, metadata);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0],
              HasSubstr("left out that these ids end an answer, which no key says: 5, 6"));
}

TEST(GgufTokenizer, WhatHasNoNameInGgufFilesIsRefusedWithTheWayOut) {
  for (const std::string name : {"split_removed", "gpt2_prefix_space", "subword_prefix",
                                 "llama2_style", "metaspace_always_split"}) {
    const std::string error = error_of([&] {
      GgufMetadata metadata;
      add_gguf_tokenizer(golden_tokenizer(name), {}, metadata);
    });
    EXPECT_THAT(error, HasSubstr("ConfigError: GGUF tokenizer: expected ")) << name;
    EXPECT_THAT(error, HasSubstr("convert_hf_to_gguf.py")) << name;
  }
}

}  // namespace
