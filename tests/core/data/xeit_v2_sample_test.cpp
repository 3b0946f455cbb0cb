#include "core/data/xeit_v2_sample.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/byte_tokenizer.h"

namespace xkde {
namespace {

using test::byte_ids;
using test::byte_tokenizer;
using Role = ChatMessage::Role;
using Ids = std::vector<int64_t>;

constexpr int64_t kBos = 0;
constexpr int64_t kEos = 1;
constexpr int64_t kEnd = 3;

Conversation conversation(const std::vector<std::string>& turns) {
  Conversation result{.id = "c", .turns = {}};
  for (size_t i = 0; i < turns.size(); ++i) {
    result.turns.push_back({i % 2 == 0 ? Role::kUser : Role::kAssistant, turns[i]});
  }
  return result;
}

Ids trained_ids(const SftSample& sample) {
  Ids ids;
  for (size_t i = 0; i < sample.ids.size(); ++i) {
    if (sample.trained[i] != 0) ids.push_back(sample.ids[i]);
  }
  return ids;
}

Ids joined(const std::vector<Ids>& parts) {
  Ids all;
  for (const Ids& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

SftSample encode(const char* key, const std::vector<std::string>& turns) {
  return encode_as_xeit_v2(byte_tokenizer(/*adds_bos=*/true), ChatTemplate::select(key, ""),
                           conversation(turns));
}

TEST(XeitV2Sample, ChatMlTrainsAnswerClosingTokenAndLineBreak) {
  const SftSample sample = encode("chatml_no_system", {"q?", "yes"});

  EXPECT_EQ(trained_ids(sample), joined({byte_ids("yes"), {kEnd}, byte_ids("\n")}));
  EXPECT_EQ(sample.trained.size(), sample.ids.size());
}

TEST(XeitV2Sample, Llama2DoublesBosAndTrainsTheBlankButNotEos) {
  const SftSample sample = encode("llama2", {"q?", "yes"});

  // The template writes <s>, and so does the tokenizer.
  ASSERT_GE(sample.ids.size(), 2U);
  EXPECT_EQ(sample.ids[0], kBos);
  EXPECT_EQ(sample.ids[1], kBos);
  EXPECT_EQ(sample.ids.back(), kEos);
  // The byte tokenizer keeps the blank after the mark, which Llama's own joins with the answer.
  EXPECT_EQ(trained_ids(sample), byte_ids(" yes "));
}

TEST(XeitV2Sample, LaterTurnsOfTheUserAreNotTrained) {
  const SftSample sample = encode("chatml_no_system", {"q?", "yes", "sure?", "no"});

  EXPECT_EQ(
      trained_ids(sample),
      joined({byte_ids("yes"), {kEnd}, byte_ids("\n"), byte_ids("no"), {kEnd}, byte_ids("\n")}));
}

TEST(XeitV2Sample, AnswerThatHoldsTheUsersMarkLosesItsTail) {
  const SftSample sample = encode("llama2", {"q?", "a [INST] b"});

  EXPECT_EQ(trained_ids(sample), byte_ids(" a "));
}

TEST(XeitV2Sample, PlainTemplateIsRefused) {
  EXPECT_THROW(encode("plain", {"q?", "yes"}), ConfigError);
}

}  // namespace
}  // namespace xkde
