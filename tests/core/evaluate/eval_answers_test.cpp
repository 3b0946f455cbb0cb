#include "core/evaluate/eval_answers.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using testing::ElementsAre;

const std::vector<EvalChunk> kChunks{{ChunkKind::kReferences, 0, 1},
                                     {ChunkKind::kPrompts, 0, 2},
                                     {ChunkKind::kFree, 0, 1},
                                     {ChunkKind::kFluency, 0, 1}};

TEST(EvalAnswers, AreReadInTheOrderOfTheChunks) {
  const test::TempFolder folder;
  const auto file = folder.path() / "answers.jsonl";
  std::ofstream(file) << answer_json(TargetAnswer{{1}, {2}}).dump() << "\n"
                      << answer_json(TargetAnswer{{3, 4}, {5, 6}}).dump() << "\n"
                      << answer_json(TargetAnswer{}).dump() << "\n"
                      << answer_json(FreeAnswer{"free", true}).dump() << "\n"
                      << answer_json("fluent").dump() << "\n";

  const EvalAnswers answers = read_answers(file, kChunks);

  EXPECT_THAT(answers.references.at(0).predicted_ids, ElementsAre(1));
  EXPECT_THAT(answers.prompts.at(0).target_ids, ElementsAre(5, 6));
  EXPECT_TRUE(answers.prompts.at(1).target_ids.empty());
  ASSERT_EQ(answers.free.size(), 1U);
  EXPECT_EQ(answers.free[0].text, "free");
  EXPECT_TRUE(answers.free[0].stopped);
  EXPECT_THAT(answers.fluency, ElementsAre("fluent"));
}

TEST(EvalAnswers, AreWrittenAsTheFileHasThem) {
  EXPECT_EQ(answer_json(TargetAnswer{{1}, {2}}).dump(),
            R"({"predicted_ids":[1],"target_ids":[2]})");
  EXPECT_EQ(answer_json("a").dump(), R"({"text":"a"})");
  EXPECT_EQ(answer_json(FreeAnswer{"a", false}).dump(), R"({"text":"a","stopped":false})");
}

TEST(EvalAnswers, TooFewLinesAreABug) {
  const test::TempFolder folder;
  const auto file = folder.path() / "answers.jsonl";
  std::ofstream(file) << answer_json(TargetAnswer{}).dump() << "\n";

  EXPECT_THROW((void)read_answers(file, kChunks), InternalError);
}

}  // namespace
}  // namespace xkde
