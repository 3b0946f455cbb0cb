#include "core/edit/token_place.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/edit/subject_place.h"
#include "core/io/file_reader.h"
#include "core/io/gguf.h"
#include "core/text/regex/unicode.h"
#include "core/text/tokenizer/sentencepiece_vocabulary.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/message_of.h"
#include "tests/support/shared_folder.h"

namespace xkde {
namespace {

using Ids = std::vector<int64_t>;

const std::filesystem::path kGolden = XKDE_SOURCE_DIR "/tests/golden";

/// What tests/golden/make_token_places.py wrote.
const Json& golden() {
  static const Json json = read_json_file(kGolden / "token_places.json");
  return json;
}

/// The tokenizer of that name in the golden file; none where the real model is absent.
std::optional<Tokenizer> tokenizer_named(const std::string& name) {
  const auto made = [&name](const Json& json, const Json& config) {
    return std::optional(Tokenizer::from_json(json, config, name));
  };
  if (name == "smollm2") {
    const auto path = test::model_folder() / "SmolLM2-135M-Instruct.Q4_1.gguf";
    if (!std::filesystem::exists(path)) return std::nullopt;
    return Tokenizer::from_gguf(GgufFile::open(path));
  }
  const auto folder = kGolden / "sentencepiece" / name;
  if (!std::filesystem::exists(folder))
    return made(read_json_file(kGolden / "tokenizer" / (name + ".tokenizer.json")), nullptr);
  const auto added = folder / "added_tokens.json";
  const TokenizerFiles files = tokenizer_files_from_sentencepiece(
      read_text(folder / "tokenizer.model", FileOrigin::kInput),
      read_json_file(folder / "tokenizer_config.json"),
      std::filesystem::exists(added) ? read_json_file(added) : Json(nullptr), name);
  return made(files.tokenizer, files.config);
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& [name, places] : golden()["tokenizers"].items()) names.push_back(name);
  return names;
}

/// Bytes at which the characters of a text end.
std::vector<size_t> ends_of(const std::string& text) {
  std::vector<size_t> ends;
  for (size_t at = 0; at < text.size();) {
    unicode::next(text, at);
    ends.push_back(at);
  }
  return ends;
}

/// Whether a marker of the texts, which some tokenizers have as a token, goes on over byte `end`.
bool is_inside_marker(const std::string& text, size_t end) {
  for (const std::string marker : {"<s>", "</s>"}) {
    const size_t at = text.find(marker);
    if (at < end && end < at + marker.size()) return true;
  }
  return false;
}

class TokenPlaces : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    tokenizer_ = tokenizer_named(GetParam());
    if (!tokenizer_) GTEST_SKIP() << "no model in " << test::model_folder() << " (XKDE_MODEL_DIR)";
  }
  std::optional<Tokenizer> tokenizer_;
};

TEST_P(TokenPlaces, OfEveryCharacterAreTheLibrarys) {
  const Json& expected = golden()["tokenizers"][GetParam()];
  const auto front = expected["in_front"].get<int64_t>();
  int64_t compared = 0;
  for (size_t i = 0; i < golden()["texts"].size(); ++i) {
    const std::string text = golden()["texts"][i]["text"].get<std::string>();
    const Json& places = expected["texts"][i];
    const Ids ids = tokenizer_->encode(text), all = tokenizer_->encode(text, true);
    const std::vector<size_t> ends = ends_of(text);
    ASSERT_EQ(ends.size(), places.size());
    for (size_t c = 0; c < ends.size(); ++c) {
      size_t next = ends[c];
      // An accent belongs to the letter before it, in the library's places too where it is
      // composed.
      const bool has_accent = next < text.size() && unicode::next(text, next) == U'\u0301';
      if (places[c].is_null() || has_accent || is_inside_marker(text, ends[c])) continue;
      const auto place = places[c].get<int64_t>();
      EXPECT_EQ(last_token_of(*tokenizer_, text, ends[c], ids), place) << text << ": " << c;
      EXPECT_EQ(last_token_of(*tokenizer_, text, ends[c], all), place + front) << text << ": " << c;
      ++compared;
    }
  }
  EXPECT_GT(compared, 500);
}

TEST_P(TokenPlaces, OfEverySubjectAreTheLibrarys) {
  for (size_t i = 0; i < golden()["texts"].size(); ++i) {
    const Json& row = golden()["texts"][i];
    const std::string text = row["text"].get<std::string>();
    const auto place = find_subject(text, row["subject"].get<std::string>(),
                                    language_of(row["language"].get<std::string>()));
    ASSERT_TRUE(place) << text;
    // The character that ends there, or the one before its accents.
    const std::vector<size_t> ends = ends_of(text);
    size_t last = static_cast<size_t>(std::ranges::lower_bound(ends, place->end) - ends.begin());
    const Json& places = golden()["tokenizers"][GetParam()]["texts"][i];
    while (places[last].is_null()) --last;
    EXPECT_EQ(last_token_of(*tokenizer_, text, place->end, tokenizer_->encode(text)), places[last])
        << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, TokenPlaces, testing::ValuesIn(golden_names()),
                         [](const auto& name) { return name.param; });

TEST(TokenPlace, TakesIdsWithMoreBehindThem) {
  const Tokenizer tokenizer = test::byte_tokenizer(/*adds_bos=*/true);
  EXPECT_EQ(last_token_of(tokenizer, "Who?", 3, tokenizer.encode("Who? Ada")), 2);
  EXPECT_EQ(last_token_of(tokenizer, "Who?", 3, tokenizer.encode_beginning("Who? Ada")), 3);
  EXPECT_EQ(last_token_of(tokenizer, "<s>ab", 5, tokenizer.encode("<s>ab")), 1);
}

TEST(TokenPlace, OfLongTextsTakesNoLongerThanTheyDo) {
  const Tokenizer tokenizer = *tokenizer_named("llama2_style");
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "灯塔 ";
  EXPECT_GT(last_token_of(tokenizer, text, text.size() - 1, tokenizer.encode(text)), 40000);
}

std::string error_at(const Tokenizer& tokenizer, const std::string& text, size_t end,
                     const Ids& ids) {
  return test::message_of<DataError>([&] { last_token_of(tokenizer, text, end, ids); });
}

TEST(TokenPlace, ThatIsNoneIsADataError) {
  const Tokenizer tokenizer = *tokenizer_named("qwen2_style");
  const std::string text = "Möwe";
  const Ids ids = tokenizer.encode(text);
  EXPECT_EQ(error_at(tokenizer, text, 0, ids),
            "token of a place: expected the end of one of 5 bytes of characters, found byte 0");
  EXPECT_EQ(error_at(tokenizer, text, 6, ids),
            "token of a place: expected the end of one of 5 bytes of characters, found byte 6");
  EXPECT_EQ(error_at(tokenizer, text, 2, ids),
            "token of a place: expected the end of one of 5 bytes of characters, found byte 2");
  const Ids others = tokenizer.encode("Who?");
  EXPECT_EQ(error_at(tokenizer, text, 5, others),
            concat("token of a place: expected ids that begin with the ", ids.size(),
                   " of the text, found ", others.size(), " others"));
}

TEST(TokenPlace, InsideWhatTheTokenizerComposesIsADataError) {
  const Tokenizer tokenizer = *tokenizer_named("qwen2_style");
  const std::string text = "e\u0301!";
  EXPECT_EQ(
      error_at(tokenizer, text, 1, tokenizer.encode(text)),
      "token of a place: expected \"e\" at the start of what the tokenizer makes of the text, "
      "found \"\u00e9!\"");
}

TEST(TokenPlace, OfATokenizerOfAnotherKindIsADataError) {
  const Tokenizer tokenizer = *tokenizer_named("word_suffix");
  EXPECT_THAT(error_at(tokenizer, "the bridge", 3, tokenizer.encode("the bridge")),
              testing::StartsWith("token of a place: expected a tokenizer whose tokens are bytes"));
}

}  // namespace
}  // namespace xkde
