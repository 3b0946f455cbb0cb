#include "core/text/tokenizer/sentencepiece_vocabulary.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/file_reader.h"
#include "core/text/tokenizer/tokenizer.h"
#include "tests/core/text/error_of.h"
#include "tests/core/text/tokenizer/golden.h"

namespace {

using namespace xkde;
using namespace xkde::test;
using testing::HasSubstr;

/// A folder that tests/golden/make_sentencepiece.py wrote.
std::filesystem::path folder_named(const std::string& name) {
  return std::filesystem::path(XKDE_SOURCE_DIR "/tests/golden/sentencepiece") / name;
}

std::string model_of(const std::string& name) {
  return read_text(folder_named(name) / "tokenizer.model", FileOrigin::kInput);
}

Tokenizer tokenizer_of(const std::string& name) {
  const std::filesystem::path folder = folder_named(name);
  const bool has_added = std::filesystem::exists(folder / "added_tokens.json");
  const TokenizerFiles files = tokenizer_files_from_sentencepiece(
      model_of(name), read_json_file(folder / "tokenizer_config.json"),
      has_added ? read_json_file(folder / "added_tokens.json") : Json(nullptr), name);
  return Tokenizer::from_json(files.tokenizer, files.config, name);
}

TEST(SentencePieceVocabulary, GivesTheIdsOfTransformers) {
  for (const std::string name : {"llama", "llama_legacy", "llama_decoder", "gemma"}) {
    EXPECT_EQ(differences(tokenizer_of(name), read_json_file(folder_named(name) / "golden.json")),
              "")
        << name;
  }
}

TEST(SentencePieceVocabulary, TokensThatWereAddedHaveTheirOwnIds) {
  const Tokenizer legacy = tokenizer_of("llama_legacy");
  EXPECT_EQ(legacy.token_to_id("[PAD]"), 560);
  EXPECT_EQ(legacy.pad_id(), 560);
  EXPECT_EQ(legacy.encode("<|turn|>").front(), 561);
  EXPECT_EQ(tokenizer_of("gemma").encode("<end_of_turn>"), (Ids{6}));
}

std::string error_with(const std::string& model, const Json& config) {
  return error_of([&] { tokenizer_files_from_sentencepiece(model, config, nullptr, "m"); });
}

/// A model of pieces "a" and "b" in the given fields of trainer_spec and normalizer_spec.
std::string tiny(const std::string& trainer, const std::string& normalizer) {
  const auto field = [](char number, const std::string& bytes) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
  };
  return field(1,
               "\x0A\x01"
               "a") +
         field(1,
               "\x0A\x01"
               "b") +
         field(2, trainer) + field(3, normalizer);
}

TEST(SentencePieceVocabulary, OtherKindsOfModelAreRefusedWithAWayOut) {
  const std::string bpe = "\x18\x02";
  const std::string bytes = "\x98\x02\x01";
  const std::string keeps = std::string("\x20\x00", 2);
  const char* way_out =
      "; write tokenizer.json once with transformers: "
      "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)";
  EXPECT_EQ(error_with(tiny(bpe + bytes, keeps), nullptr), "");
  EXPECT_THAT(error_with(tiny(bytes, keeps), nullptr),
              HasSubstr(concat("m: expected a BPE model, found another kind (Unigram)", way_out)));
  EXPECT_THAT(error_with(tiny(bpe, keeps), nullptr), HasSubstr("spells unknown characters"));
  EXPECT_THAT(error_with(tiny(bpe + bytes, ""), nullptr),
              HasSubstr("normalizer_spec: expected one that keeps the text"));
}

TEST(SentencePieceVocabulary, OddConfigsAreNamed) {
  const std::string model = model_of("llama");
  EXPECT_THAT(error_with(model, {{"add_bos_token", 1}}),
              HasSubstr("m (tokenizer_config): add_bos_token: expected true or false, found 1"));
  EXPECT_THAT(error_with(model, {{"bos_token", Json::array()}}),
              HasSubstr("m (tokenizer_config): bos_token: expected a token, found []"));
  EXPECT_THAT(error_with(model, {{"added_tokens_decoder", {{"x", Json::object()}}}}),
              HasSubstr("added_tokens_decoder: expected ids, found \"x\""));
  EXPECT_THAT(error_with(model, {{"added_tokens_decoder", {{"560", {{"content", 3}}}}}}),
              HasSubstr("added_tokens_decoder.560.content: expected a text, found 3"));
}

}  // namespace
