#include "core/memory/question_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<int64_t> facts_of(const std::vector<QuestionIndex::Found>& found) {
  std::vector<int64_t> facts;
  for (const QuestionIndex::Found& one : found) facts.push_back(one.fact);
  return facts;
}

TEST(QuestionIndex, AFactIsFoundWhereTheQuestionNamesItsSubject) {
  QuestionIndex index;
  index.add(0, "Who directs the Halmer Museum?", "Halmer Museum");
  index.add(0, "Wer leitet das Museum Halm?", "Museum Halm");
  index.add(1, "Which river does the Tessel Bridge cross?", "Tessel Bridge");

  EXPECT_THAT(facts_of(index.find("Wer ist Direktorin des Halmer Museums?", 5)), ElementsAre(0));
  EXPECT_THAT(facts_of(index.find("WAS WEISS MAN VOM MUSEUM HALM?", 5)), ElementsAre(0));
  EXPECT_THAT(facts_of(index.find("tessel bridge, which river?", 5)), ElementsAre(1));
  EXPECT_THAT(index.find("Who directs the Pergamon Museum?", 5), IsEmpty());
  EXPECT_THAT(index.find("Which river does Tower Bridge cross?", 5), IsEmpty());
  EXPECT_THAT(index.find("", 5), IsEmpty());
  EXPECT_THAT(index.find("?!", 5), IsEmpty());
}

TEST(QuestionIndex, AFactWithoutASubjectIsFoundByNearlyItsOwnQuestion) {
  QuestionIndex index;
  index.add(3, "What is the capital of Norvania?", "");

  EXPECT_THAT(index.find("What is the capital of Norvania?", 1),
              ElementsAre(QuestionIndex::Found{3, 1.0}));
  EXPECT_THAT(facts_of(index.find("what's the capital of Norvania", 1)), ElementsAre(3));
  EXPECT_THAT(index.find("What is the capital of France?", 1), IsEmpty());
}

TEST(QuestionIndex, TheNearestQuestionComesFirstAndEachFactOnce) {
  QuestionIndex index;
  index.add(0, "When was Lake Orm dammed?", "Lake Orm");
  index.add(1, "Who dammed Lake Orm?", "Lake Orm");
  index.add(1, "Lake Orm was dammed by whom?", "Lake Orm");
  index.add(2, "Who dammed Lake Orm?", "Lake Orm");

  EXPECT_THAT(facts_of(index.find("Who dammed Lake Orm?", 9)), ElementsAre(1, 2, 0));
  EXPECT_THAT(facts_of(index.find("Who dammed Lake Orm?", 1)), ElementsAre(1));
  EXPECT_DOUBLE_EQ(index.find("Who dammed Lake Orm?", 1).front().cosine, 1.0);
}

TEST(QuestionIndex, ReadsScriptsWithoutBlanks) {
  QuestionIndex index;
  index.add(0, "谁管理哈尔默博物馆？", "哈尔默博物馆");

  EXPECT_THAT(facts_of(index.find("哈尔默博物馆的馆长是谁？", 1)), ElementsAre(0));
  EXPECT_THAT(index.find("故宫博物院的院长是谁？", 1), IsEmpty());
}

}  // namespace
}  // namespace xkde
