#include "stages/evaluate/weight_plan.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<EvalChunk> chunks_of(const std::vector<size_t>& weights) {
  std::vector<EvalChunk> chunks;
  for (const size_t one : weights) chunks.push_back({.weights = one});
  return chunks;
}

/// "stream 0 0-4 2 5": the edits, then the chunks.
std::vector<std::string> in_words(const std::vector<WeightGroup>& groups,
                                  const EvalQuestionnaire& asked) {
  std::vector<std::string> words;
  for (const WeightGroup& group : groups) {
    std::string text = "as trained";
    if (group.weights > 0) {
      const EditedWeights& edits = asked.edited.at(group.weights - 1);
      text = concat("stream ", edits.stream, " ", edits.begin, "-", edits.end);
    }
    for (const int64_t chunk : group.chunks) text += concat(" ", chunk);
    words.push_back(text);
  }
  return words;
}

TEST(WeightPlan, GroupsChunksByTheirWeightsAsTrainedFirst) {
  EvalQuestionnaire asked;
  asked.edited = {{.stream = 0, .begin = 0, .end = 1}, {.stream = 0, .begin = 1, .end = 2}};
  const auto chunks = chunks_of({0, 1, 2, 1, 0, 2});

  EXPECT_THAT(in_words(weight_groups(chunks, 0, asked), asked),
              ElementsAre("as trained 0 4", "stream 0 0-1 1 3", "stream 0 1-2 2 5"));
}

TEST(WeightPlan, LeavesOutTheChunksBeforeTheFirst) {
  EvalQuestionnaire asked;
  asked.edited = {{.stream = 0, .begin = 0, .end = 1}};

  EXPECT_THAT(in_words(weight_groups(chunks_of({0, 0, 1}), 2, asked), asked),
              ElementsAre("stream 0 0-1 2"));
  EXPECT_THAT(weight_groups(chunks_of({0, 0}), 2, asked), IsEmpty());
}

TEST(WeightPlan, LetsAStreamGrow) {
  EvalQuestionnaire asked;  // in the order of moments: by size, not by stream
  asked.edited = {{.stream = 0, .begin = 0, .end = 1},
                  {.stream = 1, .begin = 0, .end = 1},
                  {.stream = 0, .begin = 0, .end = 8},
                  {.stream = 1, .begin = 0, .end = 8},
                  {.stream = 0, .begin = 0, .end = 4}};

  EXPECT_THAT(in_words(weight_groups(chunks_of({1, 2, 3, 4, 5}), 0, asked), asked),
              ElementsAre("stream 0 0-1 0", "stream 0 0-4 4", "stream 0 0-8 2", "stream 1 0-1 1",
                          "stream 1 0-8 3"));
}

TEST(WeightPlan, NothingIsNoGroup) {
  EXPECT_THAT(weight_groups({}, 0, EvalQuestionnaire()), IsEmpty());
}

}  // namespace
}  // namespace xkde::recipe
