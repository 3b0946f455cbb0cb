#include "core/memory/embed_texts.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
const fs::path kEncoders = fs::path(XKDE_SOURCE_DIR) / "tests/golden/encoders";

std::vector<std::string> texts_of(int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    texts.push_back("who built the bridge " + std::string(static_cast<size_t>(i * 31 % 53), 'e'));
  }
  return texts;
}

TEST(TextBlocks, HoldEachDistinctTextOnceAndKeepToTheirSize) {
  const std::vector<std::string> texts = {"ccc", "a", "bb", "a", "ccc", "dddddddddd"};

  const TextBlocks blocks(texts, /*block_bytes=*/6);

  EXPECT_EQ(blocks.distinct(), 4);
  ASSERT_EQ(blocks.size(), 3);  // "a" "bb" | "ccc" | "dddddddddd"
  EXPECT_EQ(blocks.begin(1), 2);
  EXPECT_EQ(blocks.begin(2), 3);
  EXPECT_EQ(blocks.begin(3), 4);
  const at::Tensor rows = blocks.spread(at::arange(4).unsqueeze(1));
  EXPECT_TRUE(rows.flatten().equal(at::tensor({2, 0, 1, 0, 2, 3}, at::kLong)));
  EXPECT_EQ(TextBlocks({}).size(), 0);
}

TEST(EmbedTexts, GivesTheEncodersRowsInOrder) {
  const SentenceEncoder encoder = SentenceEncoder::open(kEncoders / "mpnet");
  const std::vector<std::string> texts = texts_of(100);

  const at::Tensor rows = embed_texts(encoder, texts);

  // Other neighbours in a product: equal up to rounding.
  EXPECT_LT((rows - encoder.embed(texts)).abs().max().item<float>(), 1e-4F);
  EXPECT_EQ(embed_texts(encoder, {}).size(0), 0);
}

TEST(EmbedTexts, ThreadsDoNotChangeABit) {
  const SentenceEncoder encoder = SentenceEncoder::open(kEncoders / "bert");
  const int before = at::get_num_threads();
  for (const int count : {1, 3, 500}) {
    const std::vector<std::string> texts = texts_of(count);
    at::set_num_threads(1);
    const at::Tensor one = embed_texts(encoder, texts);
    at::set_num_threads(3);
    const at::Tensor three = embed_texts(encoder, texts);
    at::set_num_threads(before);

    EXPECT_TRUE(one.equal(three));
  }
}

TEST(EncoderIdentity, ChangesWithAnyFile) {
  const test::TempFolder folder;
  fs::copy(kEncoders / "bert", folder.path(), fs::copy_options::recursive);
  const std::string before = encoder_identity(folder.path());
  EXPECT_EQ(before, encoder_identity(kEncoders / "bert"));
  EXPECT_EQ(before.size(), 64U);

  folder.write("sentence_bert_config.json", R"({"max_seq_length": 40})");

  EXPECT_NE(encoder_identity(folder.path()), before);
  EXPECT_THROW(encoder_identity(folder.path() / "none"), MissingInputError);
}

}  // namespace
}  // namespace xkde
