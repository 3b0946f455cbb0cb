#include "core/edit/test_questions.h"

#include <gtest/gtest.h>

#include "tests/core/edit/edit_records.h"

namespace xkde {
namespace {

TEST(TestQuestions, HoldEveryQuestionOfEveryLanguage) {
  TestQuestions asked;
  asked.add(test::edit_record(4));

  for (const char* question :
       {"who 4?", "again 4?", "far 4", "hop 4?", "quien 4?", "otra 4?", "lejos 4", "salto 4?"}) {
    EXPECT_TRUE(asked.contains(question)) << question;
  }
  EXPECT_EQ(asked.size(), 8U);
  EXPECT_FALSE(asked.contains("who 5?"));
  EXPECT_FALSE(asked.contains("me 4"));
}

TEST(TestQuestions, PrefixOfNaturalQuestionsAndOuterBlanksMakeNoDifference) {
  TestQuestions asked;
  asked.add(test::edit_record(4));

  EXPECT_TRUE(asked.contains("nq question: far 4"));
  EXPECT_TRUE(asked.contains(" who 4?\n"));
  EXPECT_FALSE(asked.contains("who  4?"));
}

TEST(TestQuestions, TheSpellingOfAnAccentMakesNoDifference) {
  EditSide side;
  side.src = "Where is the caf\u00e9?";
  TestQuestions asked;
  asked.add(test::english_record(0, side));

  EXPECT_TRUE(asked.contains("Where is the cafe\u0301?"));
  EXPECT_FALSE(asked.contains("Where is the cafe?"));
}

TEST(TestQuestions, HoldEveryProbeOfKnowEdit) {
  EditSide side;
  side.src = "The home of Ilo is";
  side.rephrases = {"Ilo lives in"};
  side.probes.push_back({ProbeKind::kForgetfulness, "His aunt is", {{"Ada"}}});
  side.probes.push_back({ProbeKind::kReasoning, "Its river is", {{"Oss"}}});
  TestQuestions asked;
  asked.add(test::english_record(0, side));

  for (const char* question : {"The home of Ilo is", "Ilo lives in", "Its river is", "His aunt is"})
    EXPECT_TRUE(asked.contains(question)) << question;
}

}  // namespace
}  // namespace xkde
