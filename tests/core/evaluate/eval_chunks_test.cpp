#include "core/evaluate/eval_chunks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

using testing::ElementsAre;

/// "kind first+count" of each chunk.
std::vector<std::string> texts_of(const std::vector<EvalChunk>& chunks) {
  std::vector<std::string> texts;
  for (const EvalChunk& chunk : chunks)
    texts.push_back(concat(name_of(kChunkKindNames, chunk.kind), " ", chunk.first, "+", chunk.count,
                           chunk.weights == 0 ? "" : " edited"));
  return texts;
}

EvalPrompt prompt(const std::string& user, size_t weights = 0) {
  return {.text = {weights, user}, .target = "", .edits = 0};
}

TEST(EvalChunks, CountCommonBeginningsOnce) {
  EvalQuestionnaire asked;
  // A token is taken for three bytes: 3 tokens hold 9 bytes.
  asked.prompts = {prompt("aaaaaa"), prompt("aaaaaabb"), prompt("aaaaaacc"), prompt("d")};

  EXPECT_THAT(texts_of(eval_chunks(asked, false, 3)), ElementsAre("prompts 0+2", "prompts 2+2"));
}

TEST(EvalChunks, HoldAtLeastOnePrompt) {
  EvalQuestionnaire asked;
  asked.prompts = {prompt("aaaaaaaaaaaa"), prompt("bbbbbbbbbbbb")};

  EXPECT_THAT(texts_of(eval_chunks(asked, false, 1)), ElementsAre("prompts 0+1", "prompts 1+1"));
}

TEST(EvalChunks, BeginWithReferencesWhereTheyAreAsked) {
  EvalQuestionnaire asked;
  asked.prompts = {prompt("a"), prompt("b"), prompt("c")};
  asked.references = {0, 2};
  asked.free_prompts.assign(65, {FreeContext::kExact, {0, "f"}});
  asked.free_references = {3};
  asked.fluency_prompts.assign(1, {0, "g"});

  EXPECT_THAT(texts_of(eval_chunks(asked, true, 100)),
              ElementsAre("references 0+2", "free_references 0+1", "prompts 0+3",
                          "free_running 0+64", "free_running 64+1", "fluency 0+1"));
  EXPECT_THAT(texts_of(eval_chunks(asked, false, 100)).front(), "prompts 0+3");
}

TEST(EvalChunks, AreAnsweredInOneContext) {
  EvalQuestionnaire asked;
  asked.free_prompts = {{FreeContext::kQuestion, {0, "a"}},
                        {FreeContext::kQuestion, {0, "b"}},
                        {FreeContext::kChat, {0, "a"}}};

  EXPECT_THAT(texts_of(eval_chunks(asked, false, 100)),
              ElementsAre("free_running 0+2", "free_running 2+1"));
}

TEST(EvalChunks, AreAnsweredByOneSetOfWeights) {
  EvalQuestionnaire asked;
  asked.prompts = {prompt("a"), prompt("a", 1), prompt("b", 1)};
  asked.free_prompts = {{FreeContext::kExact, {0, "a"}}, {FreeContext::kExact, {1, "a"}}};

  EXPECT_THAT(texts_of(eval_chunks(asked, false, 100)),
              ElementsAre("prompts 0+1", "prompts 1+2 edited", "free_running 0+1",
                          "free_running 1+1 edited"));
}

}  // namespace
}  // namespace xkde
