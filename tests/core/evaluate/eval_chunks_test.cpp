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

/// As many prompts of one token that share nothing as there are.
EvalTokens tokens_of(const EvalQuestionnaire& asked, bool asks_references = false) {
  EvalTokens tokens;
  tokens.prompts.assign(asked.prompts.size(), {1, 0});
  if (asks_references) tokens.references.assign(asked.references.size(), {1, 0});
  return tokens;
}

TEST(EvalChunks, CountCommonBeginningsOnce) {
  EvalQuestionnaire asked;
  asked.prompts = {prompt("a"), prompt("ab"), prompt("ac"), prompt("ad")};
  const EvalTokens tokens{.prompts = {{6, 0}, {8, 6}, {8, 6}, {9, 6}}, .references = {}};

  EXPECT_THAT(texts_of(eval_chunks(asked, tokens, 10)), ElementsAre("prompts 0+3", "prompts 3+1"));
  // What begins a chunk has nothing to share.
  EXPECT_THAT(texts_of(eval_chunks(asked, tokens, 9)),
              ElementsAre("prompts 0+2", "prompts 2+1", "prompts 3+1"));
}

TEST(EvalChunks, HoldAtLeastOnePrompt) {
  EvalQuestionnaire asked;
  asked.prompts = {prompt("a"), prompt("b")};
  const EvalTokens tokens{.prompts = {{12, 0}, {12, 0}}, .references = {}};

  EXPECT_THAT(texts_of(eval_chunks(asked, tokens, 1)), ElementsAre("prompts 0+1", "prompts 1+1"));
}

TEST(EvalChunks, BeginWithReferencesWhereTheyAreAsked) {
  EvalQuestionnaire asked;
  asked.prompts = {prompt("a"), prompt("b"), prompt("c")};
  asked.references = {0, 2};
  asked.free_prompts.assign(65, {FreeContext::kExact, {0, "f"}});
  asked.free_references = {3};
  asked.fluency_prompts.assign(1, {0, "g"});

  EXPECT_THAT(texts_of(eval_chunks(asked, tokens_of(asked, true), 100)),
              ElementsAre("references 0+2", "free_references 0+1", "prompts 0+3",
                          "free_running 0+64", "free_running 64+1", "fluency 0+1"));
  EXPECT_THAT(texts_of(eval_chunks(asked, tokens_of(asked), 100)).front(), "prompts 0+3");
}

TEST(EvalChunks, AreAnsweredInOneContext) {
  EvalQuestionnaire asked;
  asked.free_prompts = {{FreeContext::kQuestion, {0, "a"}},
                        {FreeContext::kQuestion, {0, "b"}},
                        {FreeContext::kChat, {0, "a"}}};

  EXPECT_THAT(texts_of(eval_chunks(asked, tokens_of(asked), 100)),
              ElementsAre("free_running 0+2", "free_running 2+1"));
}

TEST(EvalChunks, AreAnsweredByOneSetOfWeights) {
  EvalQuestionnaire asked;
  asked.prompts = {prompt("a"), prompt("a", 1), prompt("b", 1)};
  asked.free_prompts = {{FreeContext::kExact, {0, "a"}}, {FreeContext::kExact, {1, "a"}}};

  EXPECT_THAT(texts_of(eval_chunks(asked, tokens_of(asked), 100)),
              ElementsAre("prompts 0+1", "prompts 1+2 edited", "free_running 0+1",
                          "free_running 1+1 edited"));
}

}  // namespace
}  // namespace xkde
