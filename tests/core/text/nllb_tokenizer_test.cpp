#include "core/text/nllb_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "tests/core/text/error_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::error_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

namespace fs = std::filesystem;

const fs::path kFolder = XKDE_SOURCE_DIR "/tests/golden/nllb";

TEST(NllbTokenizer, GivesTheIdsOfTransformers) {
  const NllbTokenizer tokenizer = NllbTokenizer::open(kFolder);
  const Json golden = read_json_file(kFolder / "golden.json");

  for (const Json& row : golden.at("tokens")) {
    std::string text;
    for (int i = 0; i < row.at("times").get<int>(); ++i) text += row.at("text").get<std::string>();
    EXPECT_EQ(tokenizer.encode(text, row.at("language").get<std::string>()),
              row.at("ids").get<std::vector<int64_t>>())
        << row.at("text");
  }
}

TEST(NllbTokenizer, NumbersTheFixedLanguagesWhereNoTokenizerJsonIsThere) {
  const test::TempFolder folder;
  fs::copy(kFolder / "sentencepiece.bpe.model", folder.path());
  const NllbTokenizer tokenizer = NllbTokenizer::open(folder.path());

  // The published model has 256000 pieces: eng_Latn 256047, ron_Latn 256145, 256204 tokens in all.
  EXPECT_EQ(tokenizer.language_id("ace_Arab"), 320 + 1);
  EXPECT_EQ(tokenizer.language_id("eng_Latn"), 320 + 47);
  EXPECT_EQ(tokenizer.language_id("ron_Latn"), 320 + 145);
  EXPECT_EQ(tokenizer.size(), 320 + 204);
  EXPECT_EQ(tokenizer.files().size(), 1U);
}

TEST(NllbTokenizer, NamesTheCodesCloseToAnUnknownOne) {
  const NllbTokenizer tokenizer = NllbTokenizer::open(kFolder);

  EXPECT_THAT(
      error_of([&] { tokenizer.encode("text", "zho_Hant"); }),
      AllOf(StartsWith("ConfigError"), HasSubstr("(zho_Hans, "), HasSubstr("\"zho_Hant\"")));
}

TEST(NllbTokenizer, RefusesATokenizerJsonOfOtherPieces) {
  const test::TempFolder folder;
  fs::copy(kFolder / "sentencepiece.bpe.model", folder.path());
  folder.write("tokenizer.json", R"({"added_tokens": [{"id": 17, "content": "eng_Latn"}]})");

  EXPECT_THAT(error_of([&] { NllbTokenizer::open(folder.path()); }),
              AllOf(StartsWith("DataError"), HasSubstr("tokenizer.json: added_tokens[0].id"),
                    HasSubstr("found 17")));
}

}  // namespace
}  // namespace xkde
