#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text/tokenizer/tokenizer.h"
#include "tests/core/text/error_of.h"
#include "tests/core/text/tokenizer/golden.h"

namespace {

using namespace xkde;
using namespace xkde::test;
using testing::HasSubstr;

/// A tiny valid file: letters a, b, c; "ab"; added token <x> 4.
Json small() {
  return Json::parse(
      R"({"added_tokens": [{"id": 4, "content": "<x>", "single_word": false, "lstrip": false,
      "rstrip": false, "normalized": false, "special": true}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3}, "merges": ["a b"]}})");
}

std::string error_with(const std::function<void(Json&)>& change, const Json& config = nullptr) {
  Json json = small();
  change(json);
  return error_of([&] { Tokenizer::from_json(json, config, "t.json"); });
}

TEST(TokenizerErrors, SmallFileItselfIsSound) {
  EXPECT_EQ(error_with([](Json&) {}), "");
  EXPECT_EQ(Tokenizer::from_json(small(), nullptr, "t.json").encode("abc<x>"), (Ids{3, 2, 4}));
}

TEST(TokenizerErrors, FileMustBeAnObjectWithAModel) {
  EXPECT_THAT(error_with([](Json& j) { j = Json::array(); }),
              HasSubstr("DataError: t.json: expected an object, found an array of 0 values"));
  EXPECT_THAT(error_with([](Json& j) { j.erase("model"); }),
              HasSubstr("DataError: t.json: expected key \"model\", found none"));
}

TEST(TokenizerErrors, ModelMustBeDeterministicBpe) {
  EXPECT_THAT(error_with([](Json& j) { j["model"]["type"] = "Unigram"; }),
              HasSubstr("t.json: model.type: expected \"BPE\", found \"Unigram\""));
  EXPECT_THAT(
      error_with([](Json& j) { j["model"]["dropout"] = 0.1; }),
      HasSubstr(
          "t.json: model.dropout: expected null, as an encoding must not be random, found 0.1"));
  EXPECT_THAT(error_with([](Json& j) { j["model"]["byte_fallback"] = "yes"; }),
              HasSubstr("t.json: model.byte_fallback: expected true or false, found \"yes\""));
}

TEST(TokenizerErrors, VocabularyIdsMustBeDistinctIntegers) {
  EXPECT_THAT(error_with([](Json& j) { j["model"]["vocab"] = Json::array(); }),
              HasSubstr("t.json: model.vocab: expected an object, found an array of 0 values"));
  EXPECT_THAT(
      error_with([](Json& j) { j["model"]["vocab"]["c"] = 1; }),
      HasSubstr("t.json: model.vocab: expected each id once, found 1 for both \"b\" and \"c\""));
  for (const Json& id :
       {Json(-1), Json(1.5), Json("1"), Json(int64_t{1} << 40), Json(UINT64_MAX)}) {
    EXPECT_THAT(error_with([&](Json& j) { j["model"]["vocab"]["c"] = id; }),
                HasSubstr("t.json: model.vocab.c: expected an integer in [0, 2147483646], found " +
                          id.dump()));
  }
}

TEST(TokenizerErrors, MergesMustJoinTokensOfTheVocabulary) {
  EXPECT_THAT(
      error_with([](Json& j) {
        j["model"]["merges"] = Json::array({"a b", "a c"});
      }),
      HasSubstr(
          "t.json: model.merges[1]: expected tokens of the vocabulary (no \"ac\"), found \"a c\""));
  EXPECT_THAT(error_with([](Json& j) {
                j["model"]["merges"] = Json::array({Json::array({"a", "z"})});
              }),
              HasSubstr("t.json: model.merges[0]: expected tokens of the vocabulary (no \"z\")"));
  EXPECT_THAT(
      error_with([](Json& j) { j["model"]["merges"] = Json::array({"a b c"}); }),
      HasSubstr(
          "t.json: model.merges[0]: expected two tokens parted by one blank, found \"a b c\""));
  EXPECT_THAT(error_with([](Json& j) { j["model"]["merges"] = Json::array({7}); }),
              HasSubstr("t.json: model.merges[0]: expected a pair of tokens, found 7"));
}

TEST(TokenizerErrors, UnknownTokenMustBeInTheVocabularyWhenNeeded) {
  Json json = small();
  json["model"]["unk_token"] = "<unk>";
  const Tokenizer tokenizer = Tokenizer::from_json(json, nullptr, "t.json");

  EXPECT_EQ(tokenizer.encode("abc"), (Ids{3, 2}));
  EXPECT_THAT(
      error_of([&] { tokenizer.encode("z"); }),
      HasSubstr("t.json: model.unk_token: expected a token of the vocabulary, found \"<unk>\""));
}

TEST(TokenizerErrors, AddedTokensNeedTheirFlagsAndTheLibrarysIds) {
  EXPECT_THAT(error_with([](Json& j) { j["added_tokens"][0].erase("lstrip"); }),
              HasSubstr("t.json: added_tokens[0]: expected key \"lstrip\", found none"));
  EXPECT_THAT(error_with([](Json& j) { j["added_tokens"][0]["id"] = 9; }),
              HasSubstr("t.json: added_tokens[0].id: expected 4, the next free id, found 9"));
  EXPECT_THAT(
      error_with([](Json& j) { j["added_tokens"][0]["content"] = "c"; }),
      HasSubstr("t.json: added_tokens[0].id: expected 2, its id in the vocabulary, found 4"));
  EXPECT_THAT(
      error_with([](Json& j) { j["added_tokens"].push_back(j["added_tokens"][0]); }),
      HasSubstr("t.json: added_tokens[1].content: expected each added token once, found \"<x>\""));
  EXPECT_THAT(
      error_with([](Json& j) { j["added_tokens"][0]["content"] = ""; }),
      HasSubstr("t.json: added_tokens[0].content: expected a text that is not empty, found \"\""));
}

TEST(TokenizerErrors, UnknownComponentsAreNamedWithTheirPlace) {
  EXPECT_THAT(error_with([](Json& j) {
                j["normalizer"] = {{"type", "Nmt"}};
              }),
              HasSubstr("t.json: normalizer.type: expected a known normalizer (Sequence, NFC,"));
  EXPECT_THAT(
      error_with([](Json& j) {
        j["pre_tokenizer"] = {
            {"type", "Sequence"},
            {"pretokenizers", {{{"type", "Whitespace"}}, {{"type", "UnicodeScripts"}}}}};
      }),
      HasSubstr("t.json: pre_tokenizer.pretokenizers[1].type: expected a known pre-tokenizer"));
  EXPECT_THAT(error_with([](Json& j) {
                j["post_processor"] = {{"type", "BertProcessing"}};
              }),
              HasSubstr("t.json: post_processor.type: expected a known post-processor"));
  EXPECT_THAT(error_with([](Json& j) {
                j["decoder"] = {{"type", "CTC"}};
              }),
              HasSubstr("t.json: decoder.type: expected a known decoder"));
}

TEST(TokenizerErrors, ComponentsNeedTheirFields) {
  EXPECT_THAT(error_with([](Json& j) {
                j["normalizer"] = {{"type", "Strip"}};
              }),
              HasSubstr("t.json: normalizer: expected key \"strip_left\", found none"));
  EXPECT_THAT(
      error_with([](Json& j) {
        j["normalizer"] = {{"type", "Replace"}, {"pattern", {{"Glob", "*"}}}};
      }),
      HasSubstr(
          "t.json: normalizer.pattern: expected a pattern, {\"Regex\": ...} or {\"String\": ...}"));
  EXPECT_THAT(error_with([](Json& j) {
                j["pre_tokenizer"] = {{"type", "Digits"}};
              }),
              HasSubstr("t.json: pre_tokenizer: expected key \"individual_digits\", found none"));
  EXPECT_THAT(
      error_with([](Json& j) {
        j["pre_tokenizer"] = {
            {"type", "Split"}, {"pattern", {{"String", "a"}}}, {"behavior", "isolated"}};
      }),
      HasSubstr("t.json: pre_tokenizer.behavior: expected Removed, Isolated, MergedWithPrevious, "
                "MergedWithNext or Contiguous, found \"isolated\""));
  EXPECT_THAT(
      error_with([](Json& j) {
        j["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "__"}};
      }),
      HasSubstr(
          "t.json: pre_tokenizer.replacement: expected a string of one character, found \"__\""));
  EXPECT_THAT(
      error_with([](Json& j) {
        j["pre_tokenizer"] = {
            {"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "last"}};
      }),
      HasSubstr(
          "t.json: pre_tokenizer.prepend_scheme: expected always, first or never, found \"last\""));
  EXPECT_THAT(error_with([](Json& j) {
                j["pre_tokenizer"] = {{"type", "Metaspace"},
                                      {"replacement", "_"},
                                      {"prepend_scheme", "first"},
                                      {"add_prefix_space", false}};
              }),
              HasSubstr("t.json: pre_tokenizer.add_prefix_space: expected true, as prepend_scheme "
                        "is \"first\", found false"));
}

TEST(TokenizerErrors, PatternsMustBeOfTheSupportedKind) {
  EXPECT_THAT(
      error_with([](Json& j) {
        j["pre_tokenizer"] = {{"type", "Split"},
                              {"pattern", {{"Regex", "(a"}}},
                              {"behavior", "Isolated"},
                              {"invert", false}};
      }),
      HasSubstr("t.json: pre_tokenizer.pattern.Regex: expected a regular expression, found "));
}

TEST(TokenizerErrors, TemplatesMustHoldTheirTokens) {
  EXPECT_THAT(error_with([](Json& j) {
                j["post_processor"] = {{"type", "TemplateProcessing"},
                                       {"single",
                                        {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
                                         {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
                                       {"special_tokens", Json::object()}};
              }),
              HasSubstr("t.json: post_processor.special_tokens: expected key \"<s>\", found none"));
  EXPECT_THAT(error_with([](Json& j) {
                j["post_processor"] = {{"type", "TemplateProcessing"},
                                       {"single", Json::array()},
                                       {"special_tokens", Json::object()}};
              }),
              HasSubstr("t.json: post_processor.single: expected sequence A exactly once, found an "
                        "array of 0 values"));
}

TEST(TokenizerErrors, ConfiguredTokensMustBeInTheVocabulary) {
  EXPECT_THAT(error_with([](Json&) {}, {{"bos_token", "<s>"}}),
              HasSubstr("t.json (tokenizer_config): bos_token: expected a token of the vocabulary, "
                        "found \"<s>\""));
  EXPECT_THAT(error_with([](Json&) {}, {{"eos_token", 3}}),
              HasSubstr("t.json (tokenizer_config): eos_token: expected a string, found 3"));
}

/// A step that turns each a into two, `times` times.
Json doubling(int times) {
  const Json step = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  Json steps = Json::array();
  for (int i = 0; i < times; ++i) steps.push_back(step);
  return steps;
}

TEST(TokenizerErrors, ATextMustNotGrowWithoutEnd) {
  Json json = small();
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", doubling(40)}};
  const Tokenizer grows = Tokenizer::from_json(json, nullptr, "t.json");
  EXPECT_THAT(error_of([&] { grows.encode("a"); }),
              HasSubstr("DataError: t.json: normalizer.normalizers[16]: expected a text of at most "
                        "65552 bytes after this step"));
  json["normalizer"]["normalizers"] = doubling(4);
  EXPECT_EQ(Tokenizer::from_json(json, nullptr, "t.json").encode("a").size(), 16U);

  json["normalizer"] = {
      {"type", "Replace"}, {"pattern", {{"Regex", "."}}}, {"content", std::string(1 << 20, 'a')}};
  const Tokenizer leaps = Tokenizer::from_json(json, nullptr, "t.json");
  EXPECT_THAT(error_of([&] { leaps.encode(std::string(1 << 20, 'b')); }),
              HasSubstr("t.json: normalizer: expected a text of at most 16842752 bytes"));
  json["normalizer"] = {{"type", "Prepend"}, {"prepend", std::string(1 << 20, 'a')}};
  EXPECT_THAT(error_of([&] { Tokenizer::from_json(json, nullptr, "t.json").encode("b"); }),
              HasSubstr("t.json: normalizer: expected a text of at most"));
}

TEST(TokenizerErrors, WordsAndDecodedTextMustNotGrowWithoutEnd) {
  Json json = small();
  const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", Json(30, bytes)}};
  const Tokenizer grows = Tokenizer::from_json(json, nullptr, "t.json");
  EXPECT_THAT(error_of([&] { grows.encode("\u00e9"); }),
              HasSubstr("DataError: t.json: pre_tokenizer.pretokenizers[15]: expected a text of"));

  json = small();
  json["decoder"] = {{"type", "Sequence"}, {"decoders", doubling(40)}};
  const Tokenizer decodes = Tokenizer::from_json(json, nullptr, "t.json");
  EXPECT_THAT(error_of([&] { decodes.decode(Ids{0}); }),
              HasSubstr("DataError: t.json: decoder.decoders[16]: expected a text of"));
}

TEST(TokenizerErrors, FewIdsStandAroundAText) {
  EXPECT_THAT(
      error_with([](Json& j) {
        j["post_processor"] = {
            {"type", "TemplateProcessing"},
            {"single", {{{"SpecialToken", {{"id", "<x>"}}}}, {{"Sequence", {{"id", "A"}}}}}},
            {"special_tokens", {{"<x>", {{"ids", std::vector<int>(5000, 4)}}}}}};
      }),
      HasSubstr("t.json: post_processor.single: expected at most 4096 ids around a text"));
}

}  // namespace
