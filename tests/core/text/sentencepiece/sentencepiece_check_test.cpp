#include "core/text/sentencepiece/sentencepiece_check.h"

#include <filesystem>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/file.h"
#include "tests/core/text/error_of.h"
#include "tests/support/byte_file.h"

namespace xkde {
namespace {

using test::error_of;
using testing::HasSubstr;

/// A unit of the array: a label, whether a value follows, and the distance to the children.
uint32_t unit(uint32_t label, bool leaf, uint32_t offset) {
  return label | (leaf ? 1U << 8 : 0U) | offset << 10;
}
uint32_t value(uint32_t offset) { return offset | 1U << 31; }

/// "a" becomes the text at 0, in one block of 256 units: the children of the root have base 256,
/// the value of "a" is behind them.
std::vector<uint32_t> letter_a() {
  std::vector<uint32_t> units(768);
  units[0] = unit(0, false, 256);
  units[256 ^ 'a'] = unit('a', true, (256 ^ 'a') ^ 512);
  units[512] = value(0);
  return units;
}

std::string error_with(const std::vector<uint32_t>& units, const std::string& texts) {
  return error_of([&] { check_character_trie(units, texts, "map"); });
}
const std::string kText("A\0", 2);

TEST(SentencePieceCheck, ATrieThatStaysInsideIsSound) {
  EXPECT_EQ(error_with(letter_a(), kText), "");
}

TEST(SentencePieceCheck, EveryUnitThatATextLeadsToIsInside) {
  std::vector<uint32_t> units = letter_a();
  units[0] = unit(0, false, 1024);
  EXPECT_THAT(error_with(units, kText),
              HasSubstr("DataError: map: expected a unit below 768, found a reference to 1024"));
  units = letter_a();
  units[256 ^ 'a'] = unit('a', true, 4096);
  EXPECT_THAT(error_with(units, kText), HasSubstr("map: expected a unit below 768"));
  units.resize(300);
  EXPECT_THAT(error_with(units, kText), HasSubstr("map: expected a unit below 300"));
  EXPECT_THAT(error_with({}, kText), HasSubstr("map: expected a unit below 0"));
}

TEST(SentencePieceCheck, EveryTextBeginsAndEndsInside) {
  std::vector<uint32_t> units = letter_a();
  units[512] = value(2);
  EXPECT_THAT(error_with(units, kText),
              HasSubstr("map: expected a text below offset 2, found a reference to 2"));
  EXPECT_THAT(error_with(letter_a(), "A"), HasSubstr("expected texts that end with a byte 0"));
  EXPECT_THAT(error_with(letter_a(), ""), HasSubstr("expected texts that end with a byte 0"));
  EXPECT_THAT(error_with(letter_a(), std::string("\xC3\0", 2)), HasSubstr("texts in UTF-8"));
  units[512] = value(1);
  EXPECT_THAT(error_with(units, std::string("\xC3\xA9\0", 3)),
              HasSubstr("expected a text that begins with a character"));
}

TEST(SentencePieceCheck, ARuleMakesAShortText) {
  EXPECT_EQ(error_with(letter_a(), std::string(80, 'x') + '\0'), "");
  EXPECT_THAT(error_with(letter_a(), std::string(81, 'x') + '\0'),
              HasSubstr("map: expected at most 80 bytes for 1, found 81"));
}

TEST(SentencePieceCheck, AMapHoldsItsTrie) {
  const auto error = [](const std::string& map) {
    return error_of([&] { check_character_map(map, "map"); });
  };
  EXPECT_EQ(error(""), "");
  EXPECT_THAT(error("abc"), HasSubstr("map: expected more than 4 bytes, found 3"));
  EXPECT_THAT(error(ByteFile().number(uint32_t{8}).raw("12345678").bytes()),
              HasSubstr("map: expected a trie of less than 8 bytes in units of 4, found 8 bytes"));
  EXPECT_THAT(error(ByteFile().number(uint32_t{6}).raw("12345678").bytes()),
              HasSubstr("in units of 4, found 6 bytes"));
}

/// A model of one piece, whose bytes are fields of the piece's message.
std::string model_of(const std::string& piece) {
  std::string model = "\x0A";
  model += static_cast<char>(piece.size());
  return model + piece;
}

TEST(SentencePieceCheck, PiecesAreTextsWithFiniteScores) {
  const auto error = [](const std::string& bytes) {
    return error_of([&] { check_sentencepiece_model(bytes, "m"); });
  };
  EXPECT_EQ(error(model_of("\x0A\x01"
                           "a")),
            "");
  EXPECT_THAT(error(model_of("\x18\x01")), HasSubstr("m: pieces[0].piece: expected a text, found"));
  EXPECT_THAT(error(model_of(std::string("\x0A\x02"
                                         "a\0",
                                         4))),
              HasSubstr("without a byte 0"));
  EXPECT_THAT(error(model_of("\x0A\x01\xC3")), HasSubstr("pieces[0].piece: expected UTF-8"));
  const float bad = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error(model_of(ByteFile()
                                 .raw("\x0A\x01"
                                      "a\x15")
                                 .number(bad)
                                 .bytes())),
              HasSubstr("m: pieces[0].score: expected a finite number, found nan"));
  EXPECT_THAT(error("\x0A\x7F"),
              HasSubstr("m: expected a SentencePiece model with 127 more bytes"));
  EXPECT_THAT(error("\x0B"),
              HasSubstr("m: expected a SentencePiece model, found a field of type 3"));
}

TEST(SentencePieceCheck, ModelsOfTheLibraryAreSound) {
  for (const char* file :
       {"nllb/sentencepiece.bpe.model", "encoders/xlmr/sentencepiece.bpe.model"}) {
    const std::string path = std::string(XKDE_SOURCE_DIR "/tests/golden/") + file;
    EXPECT_EQ(error_of([&] { check_sentencepiece_model(text_of_file(path), path); }), "") << path;
  }
}

}  // namespace
}  // namespace xkde
