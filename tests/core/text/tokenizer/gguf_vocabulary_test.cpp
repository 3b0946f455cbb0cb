#include "core/text/tokenizer/gguf_vocabulary.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text/tokenizer/tokenizer.h"
#include "tests/core/text/error_of.h"
#include "tests/core/text/tokenizer/gguf_writer.h"
#include "tests/core/text/tokenizer/golden.h"
#include "tests/support/temp_folder.h"

namespace {

using namespace xkde;
using namespace xkde::test;
using testing::HasSubstr;

using Strings = std::vector<std::string>;

Tokenizer tokenizer_of(const GgufWriter& writer) {
  const TempFolder folder;
  return Tokenizer::from_gguf(GgufFile::open(folder.write("m.gguf", writer.bytes())));
}

std::string error_with(const GgufWriter& writer) {
  return error_of([&] { tokenizer_of(writer); });
}

/// A vocabulary and merges of a synthetic tokenizer.json as a GGUF file states them. `pre`: empty
/// leaves the key out.
GgufWriter from_golden(const std::string& name, const std::string& pre) {
  const Json json = read_json_file(golden_folder() / (name + ".tokenizer.json"));
  std::vector<std::pair<int64_t, std::string>> by_id;
  for (const auto& [token, id] : json["model"]["vocab"].items())
    by_id.emplace_back(id.get<int64_t>(), token);
  std::sort(by_id.begin(), by_id.end());
  std::vector<int32_t> types(by_id.size(), 1);
  Strings tokens;
  for (const auto& [id, token] : by_id) tokens.push_back(token);
  for (const Json& added : json["added_tokens"]) {
    const auto id = added["id"].get<size_t>();
    if (id == tokens.size()) {
      tokens.push_back(added["content"].get<std::string>());
      types.push_back(1);
    }
    types[id] = added["special"].get<bool>() ? 3 : 4;
  }
  Strings merges;
  for (const Json& merge : json["model"]["merges"]) {
    merges.push_back(merge.is_string()
                         ? merge.get<std::string>()
                         : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  GgufWriter writer;
  if (!pre.empty()) writer.add("tokenizer.ggml.pre", pre);
  return writer.add("tokenizer.ggml.model", std::string("gpt2"))
      .add("tokenizer.ggml.tokens", tokens)
      .add("tokenizer.ggml.token_type", types)
      .add("tokenizer.ggml.merges", merges);
}

TEST(GgufVocabulary, ByteLevelKindsGiveTheIdsOfTheirTokenizerJson) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"smollm_style", "smollm"}, {"qwen2_style", "qwen2"}, {"llama3_style", "llama-bpe"}};
  for (const auto& [name, pre] : kinds) {
    GgufWriter writer = from_golden(name, pre);
    if (pre == "llama-bpe") writer.add("tokenizer.ggml.bos_token_id", uint32_t{1});

    EXPECT_EQ(differences(tokenizer_of(writer),
                          read_json_file(golden_folder() / (name + ".golden.json"))),
              "")
        << name;
  }
}

TEST(GgufVocabulary, AFileThatNamesNoSplitHasThatOfItsArchitecture) {
  const Json golden = read_json_file(golden_folder() / "qwen2_style.golden.json");
  for (const std::string said : {"", "default"}) {
    GgufWriter writer = from_golden("qwen2_style", said);
    writer.add("general.architecture", std::string("qwen2"));
    testing::internal::CaptureStderr();

    const std::string found = differences(tokenizer_of(writer), golden);

    EXPECT_EQ(found, "");
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                HasSubstr(concat("m.gguf: tokenizer.ggml.pre: found ",
                                 said.empty() ? "none" : "\"default\"",
                                 "; text is split as qwen2, as is usual for qwen2 files")));
  }
}

TEST(GgufVocabulary, AFileThatNamesNoSplitOfManyIsRefused) {
  GgufWriter writer = from_golden("smollm_style", "");
  writer.add("general.architecture", std::string("llama"));

  EXPECT_THAT(error_with(writer),
              HasSubstr("found none, and \"llama\" files have no usual one; write it once: "
                        "gguf-new-metadata --pre-tokenizer NAME IN.gguf OUT.gguf"));
}

TEST(GgufVocabulary, SaysWhetherBosAndEosAreAdded) {
  GgufWriter writer = from_golden("smollm_style", "smollm");
  writer.add("tokenizer.ggml.bos_token_id", uint32_t{1})
      .add("tokenizer.ggml.eos_token_id", uint32_t{2})
      .add("tokenizer.ggml.add_bos_token", true)
      .add("tokenizer.ggml.add_eos_token", true);
  const Tokenizer tokenizer = tokenizer_of(writer);

  const Ids ids = tokenizer.encode("a", true);

  EXPECT_EQ(ids.front(), 1);
  EXPECT_EQ(ids.back(), 2);
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_EQ(tokenizer.to_tokenizer_config()["add_bos_token"], true);
}

/// SentencePiece's own example of order: scores, not lengths, decide.
GgufWriter sentence_piece() {
  const Strings tokens = {"<unk>",   "<s>",      "</s>", "<0x0A>", "<0xC3>", "<0xA9>",
                          "\u2581",  "a",        "b",    "c",      "ab",     "bc",
                          "\u2581a", "\u2581ab", "abc",  "<tool>"};
  return GgufWriter()
      .add("tokenizer.ggml.model", std::string("llama"))
      .add("tokenizer.ggml.tokens", tokens)
      .add("tokenizer.ggml.token_type",
           std::vector<int32_t>{2, 3, 3, 6, 6, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4})
      .add("tokenizer.ggml.scores",
           std::vector<float>{0, 0, 0, 0, 0, 0, -9, -6, -7, -8, -2, -1, -3, -4, -5, 0})
      .add("tokenizer.ggml.bos_token_id", uint32_t{1})
      .add("tokenizer.ggml.eos_token_id", uint32_t{2})
      .add("tokenizer.ggml.unknown_token_id", uint32_t{0});
}

TEST(GgufVocabulary, SentencePieceMergesFollowTheScores) {
  const Tokenizer tokenizer = tokenizer_of(sentence_piece());

  EXPECT_EQ(tokenizer.encode("ab"), (Ids{13}));
  EXPECT_EQ(tokenizer.encode("abc"), (Ids{12, 11})) << "bc scores best";
  EXPECT_EQ(tokenizer.encode("cabc"), (Ids{6, 9, 14}));
  EXPECT_EQ(tokenizer.encode("a\n\u00e9"), (Ids{12, 3, 4, 5})) << "bytes";
  EXPECT_EQ(tokenizer.encode("a\u706f\u706f"), (Ids{12, 0})) << "unknown ones fuse";
  EXPECT_EQ(tokenizer.encode("a<tool>b"), (Ids{12, 15, 6, 8}))
      << "a blank in front after an added token too";
  EXPECT_EQ(tokenizer.encode(" a"), (Ids{6, 12})) << "the blank in front is always added";
  EXPECT_EQ(tokenizer.encode("ab", true), (Ids{1, 13}));
  EXPECT_EQ(tokenizer.decode(Ids{1, 13, 6, 4, 5, 2}), "ab \u00e9");
}

/// Every way to part a token is looked up: the time grows with the square of its bytes.
TEST(GgufVocabulary, ATokenWithAScoreHasALimitedLength) {
  const auto with_token_of = [](size_t bytes) {
    return GgufWriter()
        .add("tokenizer.ggml.model", std::string("llama"))
        .add("tokenizer.ggml.tokens", Strings{"<unk>", "a", std::string(bytes, 'a')})
        .add("tokenizer.ggml.token_type", std::vector<int32_t>{2, 1, 1})
        .add("tokenizer.ggml.scores", std::vector<float>{0, -1, -2})
        .add("tokenizer.ggml.unknown_token_id", uint32_t{0})
        .add("tokenizer.ggml.add_bos_token", false);
  };

  EXPECT_EQ(error_with(with_token_of(1024)), "");
  EXPECT_THAT(error_with(with_token_of(1025)),
              HasSubstr("m.gguf: tokenizer.ggml.tokens[2]: expected at most 1024 bytes of a token "
                        "with a score, found 1025"));
}

TEST(GgufVocabulary, SentencePieceWithoutPrefixAddsNoBlank) {
  GgufWriter writer = sentence_piece();
  writer.add("tokenizer.ggml.add_space_prefix", false).add("tokenizer.ggml.add_bos_token", false);
  const Tokenizer tokenizer = tokenizer_of(writer);

  EXPECT_EQ(tokenizer.encode("ab", true), (Ids{10}));
  EXPECT_EQ(tokenizer.decode(Ids{13}), " ab");
}

GgufWriter tiny(const Strings& tokens, const Strings& merges) {
  return GgufWriter()
      .add("tokenizer.ggml.model", std::string("gpt2"))
      .add("tokenizer.ggml.pre", std::string("gpt-2"))
      .add("tokenizer.ggml.tokens", tokens)
      .add("tokenizer.ggml.merges", merges);
}

TEST(GgufVocabulary, UnknownKindsAreDataErrors) {
  EXPECT_THAT(
      error_with(GgufWriter()
                     .add("tokenizer.ggml.model", std::string("t5"))
                     .add("tokenizer.ggml.tokens", Strings{"a"})),
      HasSubstr("m.gguf: tokenizer.ggml.model: expected \"gpt2\" or \"llama\", found \"t5\""));
  EXPECT_THAT(error_with(GgufWriter()
                             .add("tokenizer.ggml.model", std::string("gpt2"))
                             .add("tokenizer.ggml.pre", std::string("viking"))
                             .add("tokenizer.ggml.tokens", Strings{"a"})
                             .add("tokenizer.ggml.merges", Strings{})),
              HasSubstr("m.gguf: tokenizer.ggml.pre: expected one of smollm, gpt-2, "
                        "qwen2, deepseek-r1-qwen, "
                        "llama-bpe, llama3, llama-v3, found \"viking\""));
  EXPECT_THAT(error_with(sentence_piece().add("tokenizer.ggml.remove_extra_whitespaces", true)),
              HasSubstr("m.gguf: tokenizer.ggml.remove_extra_whitespaces: expected none"));
}

TEST(GgufVocabulary, VocabularyAndMergesAreChecked) {
  EXPECT_THAT(error_with(tiny({}, {})),
              HasSubstr("m.gguf: tokenizer.ggml.tokens: expected tokens, found none"));
  EXPECT_THAT(
      error_with(tiny({"a", "b", "a"}, {})),
      HasSubstr(
          "m.gguf: tokenizer.ggml.tokens[2]: expected each token once, found \"a\" also at 0"));
  EXPECT_THAT(error_with(tiny({"a", ""}, {})),
              HasSubstr("tokenizer.ggml.tokens[1]: expected a token, found an empty string"));
  EXPECT_THAT(error_with(tiny({"a", "\xC3"}, {})),
              HasSubstr("tokenizer.ggml.tokens[1]: expected UTF-8, found other bytes"));
  EXPECT_THAT(error_with(tiny({"a", "b", "ab"}, {"a b", "ab b"})),
              HasSubstr("tokenizer.ggml.merges[1]: expected tokens of the vocabulary, found "
                        "\"abb\" in \"ab b\""));
  EXPECT_THAT(
      error_with(tiny({"a", "b", "ab"}, {"ab"})),
      HasSubstr("tokenizer.ggml.merges[0]: expected two tokens parted by one blank, found \"ab\""));
  EXPECT_THAT(error_with(GgufWriter()
                             .add("tokenizer.ggml.model", std::string("gpt2"))
                             .add("tokenizer.ggml.pre", std::string("gpt-2"))
                             .add("tokenizer.ggml.tokens", Strings{"a"})),
              HasSubstr("expected metadata tokenizer.ggml.merges, found none"));
}

TEST(GgufVocabulary, TypesScoresAndSpecialIdsAreChecked) {
  EXPECT_THAT(
      error_with(tiny({"a", "b"}, {}).add("tokenizer.ggml.token_type", std::vector<int32_t>{1})),
      HasSubstr("tokenizer.ggml.token_type: expected 2 values, found 1"));
  EXPECT_THAT(
      error_with(tiny({"a", "b"}, {}).add("tokenizer.ggml.token_type", std::vector<int32_t>{1, 9})),
      HasSubstr("tokenizer.ggml.token_type[1]: expected a type in [1, 6], found 9"));
  EXPECT_THAT(error_with(tiny({"a", "b"}, {}).add("tokenizer.ggml.eos_token_id", uint32_t{2})),
              HasSubstr("tokenizer.ggml.eos_token_id: expected an id in [0, 2), found 2"));
  EXPECT_THAT(
      error_with(tiny({"a", "b"}, {}).add("tokenizer.ggml.add_bos_token", true)),
      HasSubstr("tokenizer.ggml.bos_token_id: expected an id, as BOS is to be added, found none"));
  EXPECT_THAT(error_with(GgufWriter()
                             .add("tokenizer.ggml.model", std::string("llama"))
                             .add("tokenizer.ggml.tokens", Strings{"a", "b"})
                             .add("tokenizer.ggml.scores", std::vector<float>{1})
                             .add("tokenizer.ggml.add_bos_token", false)),
              HasSubstr("tokenizer.ggml.scores: expected 2 values, found 1"));
}

}  // namespace
