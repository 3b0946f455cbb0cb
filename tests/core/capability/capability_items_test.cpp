#include "core/capability/capability_items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using ::testing::HasSubstr;

class CapabilityItems : public ::testing::Test {
 protected:
  CapabilityItems() {
    options_.perplexity = {
        {.data = folder_.write("t.txt", "12345678\n\n90\n"), .name = "t", .lang = "en"}};
    options_.choices = {{.data = folder_.write("q.jsonl",
                                               "{\"context\": \"12345\", \"choices\": [\"x\", "
                                               "\"yz\"], \"answer\": 0}\n"),
                         .name = "q",
                         .lang = "en"}};
  }

  std::vector<CapabilityItem> items(int64_t context) {
    inputs_ = read_capability_inputs(options_);
    return capability_items(options_, inputs_, tokenizer_, context);
  }

  test::TempFolder folder_;
  CapabilityOptions options_;
  CapabilityInputs inputs_;
  Tokenizer tokenizer_ = test::byte_tokenizer();
};

TEST_F(CapabilityItems, AreWindowsOfDocumentsAndThenRows) {
  options_.max_length = 5;

  const std::vector<CapabilityItem> all = items(100);

  ASSERT_EQ(all.size(), 4U);
  EXPECT_TRUE(all[0].is_window && all[1].is_window && all[2].is_window);
  EXPECT_EQ(all[1].row, 0U);
  EXPECT_EQ(all[2].row, 1U);
  EXPECT_FALSE(all[3].is_window);
  EXPECT_EQ(all[3].sequences.size(), 2U);
  EXPECT_EQ(all[3].cut, 2);  // "12345 y" without its last token is two tokens too long
  EXPECT_THAT(place_of(all[2], options_, inputs_), HasSubstr("t.txt: line 3"));
  EXPECT_THAT(place_of(all[3], options_, inputs_), HasSubstr("q.jsonl: line 1"));
}

TEST_F(CapabilityItems, RefuseMoreThanTheModelsContext) {
  options_.max_length = 5;

  EXPECT_THAT(
      test::message_of<ConfigError>([&] { items(4); }),
      HasSubstr("max_length: expected at most the 4 tokens of the model's context, found 5"));
}

TEST_F(CapabilityItems, ChunksHoldAsManyAsFit) {
  const std::vector<CapabilityItem> all = items(100);  // 8 and 2 tokens; 6 and 1 more of a choice
  ASSERT_EQ(all.size(), 3U);

  const std::vector<ItemChunk> narrow = item_chunks(all, 9);
  const std::vector<ItemChunk> wide = item_chunks(all, 17);

  ASSERT_EQ(narrow.size(), 2U);
  EXPECT_EQ(narrow[0].count, 1U);
  EXPECT_EQ(narrow[1].first, 1U);
  EXPECT_EQ(narrow[1].count, 2U);
  ASSERT_EQ(wide.size(), 1U);
  EXPECT_EQ(wide[0].count, 3U);
  EXPECT_EQ(item_chunks(all, 1).size(), 3U);
}

}  // namespace
}  // namespace xkde
