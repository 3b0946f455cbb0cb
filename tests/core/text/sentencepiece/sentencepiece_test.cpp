#include "core/text/sentencepiece/sentencepiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/text/error_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::error_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

const std::filesystem::path kModel = XKDE_SOURCE_DIR "/tests/golden/nllb/sentencepiece.bpe.model";

TEST(SentencePiece, PiecesOfATextJoinToItWithMarkedSpaces) {
  const SentencePiece pieces = SentencePiece::open(kModel);

  std::string joined;
  for (const int64_t id : pieces.encode("The old bridge")) joined += pieces.piece(id);

  EXPECT_EQ(joined, "▁The▁old▁bridge");
  EXPECT_EQ(pieces.size(), 320);
}

TEST(SentencePiece, PieceAndIdAreEachOthersInverse) {
  const SentencePiece pieces = SentencePiece::open(kModel);

  for (int64_t id = 0; id < pieces.size(); ++id) EXPECT_EQ(pieces.id_of(pieces.piece(id)), id);
  EXPECT_EQ(pieces.id_of("no such piece"), std::nullopt);
  EXPECT_EQ(pieces.id_of("<unk>"), pieces.unknown_id());
}

TEST(SentencePiece, SaysWhichFileIsMissingOrNoModel) {
  const test::TempFolder folder;
  const auto text = folder.write("text.model", "no model at all");
  const auto empty = folder.write("empty.model", "");

  EXPECT_THAT(error_of([] { SentencePiece::open("/nowhere/x.model"); }),
              AllOf(StartsWith("MissingInputError"), HasSubstr("/nowhere/x.model")));
  EXPECT_THAT(error_of([&] { SentencePiece::open(text); }),
              AllOf(StartsWith("DataError"), HasSubstr(text.string())));
  EXPECT_THAT(error_of([&] { SentencePiece::open(empty); }),
              AllOf(StartsWith("DataError"), HasSubstr("an empty file")));
}

TEST(SentencePiece, RefusesInvalidUtf8) {
  const SentencePiece pieces = SentencePiece::open(kModel);

  EXPECT_THAT(error_of([&] { pieces.encode("a\xff"); }), HasSubstr("found byte 255 at offset 1"));
}

}  // namespace
}  // namespace xkde
