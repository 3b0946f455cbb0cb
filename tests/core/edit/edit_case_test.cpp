#include "core/edit/edit_case.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/core/edit/edit_records.h"

namespace xkde {
namespace {

using test::edit_record;
using test::english_record;
using test::probe;
using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

EditCase case_of(const EditRecord& record, const char* edit, const char* test) {
  return edit_case(record, language_of(edit), language_of(test));
}

TEST(EditCase, FactIsInTheEditLanguageAndQuestionsInTheTestLanguage) {
  EditRecord record = edit_record(4);
  record.sides["en"].old_answers = {"you"};

  const EditCase one = case_of(record, "es", "en");

  EXPECT_EQ(one.fact, "quien 4? yo 4");
  EXPECT_EQ(one.edit_src, "quien 4?");
  EXPECT_EQ(one.src, "who 4?");
  EXPECT_THAT(one.rephrases, ElementsAre("again 4?"));
  EXPECT_EQ(one.alt, "me 4");
  EXPECT_EQ(one.old_answer, "you");
  EXPECT_EQ(one.portability.at(0).question, "hop 4?");
}

TEST(EditCase, PrefixOfNaturalQuestionsIsCut) {
  EXPECT_EQ(case_of(edit_record(4), "es", "en").locality.at(0).question, "far 4");
}

TEST(EditCase, RecordWithoutTheLanguageIsADataError) {
  EXPECT_THROW(case_of(edit_record(4), "en", "fr"), DataError);
}

TEST(EditCase, KnowEditGivesItsFirstAliases) {
  EditSide side;
  side.subject = "Ilo";
  side.src = "The home of Ilo is";
  side.alt = "Oss";
  side.old_answers = {"Ede", "Ede (town)"};
  side.probes.push_back({ProbeKind::kForgetfulness, "His aunt is", {{"Ada"}}});
  side.probes.push_back({ProbeKind::kReasoning, "Its river is", {{"Maas", "Meuse"}, {"x"}}});

  const EditCase one = case_of(english_record(3, side), "en", "en");

  EXPECT_EQ(one.index, 3);
  EXPECT_EQ(one.fact, "The home of Ilo is Oss");
  EXPECT_EQ(one.old_answer, "Ede");
  EXPECT_TRUE(one.rephrases.empty());
  EXPECT_EQ(one.portability.at(0).answer, "Maas");
  EXPECT_EQ(one.locality.at(0).question, "His aunt is");
}

TEST(EditCase, WholeCaseGoesWithItsEditQuestionInEitherLanguage) {
  std::vector<EditCase> cases{case_of(edit_record(4), "en", "es"),
                              case_of(edit_record(5), "en", "es"),
                              case_of(edit_record(6), "en", "es")};
  EditRecord asked_record;
  asked_record.sides["en"].src = "who 4?";
  asked_record.sides["es"].src = "quien 5?";
  TestQuestions asked;
  asked.add(asked_record);
  std::map<std::string, int64_t> removed;

  remove_test_questions(cases, asked, removed);

  ASSERT_EQ(cases.size(), 1U);
  EXPECT_EQ(cases[0].src, "quien 6?");
  EXPECT_THAT(removed, UnorderedElementsAre(Pair("test question: src", 2)));
}

TEST(EditCase, OtherTestQuestionsGoAlone) {
  std::vector<EditCase> cases{case_of(edit_record(4), "en", "es")};
  EditRecord asked_record;
  asked_record.sides["es"].src = "otra 4?";
  asked_record.sides["es"].probes = {probe(ProbeKind::kLocality, "lejos 4", "x"),
                                     probe(ProbeKind::kPortability, "salto 4?", "x")};
  TestQuestions asked;
  asked.add(asked_record);
  std::map<std::string, int64_t> removed;

  remove_test_questions(cases, asked, removed);

  ASSERT_EQ(cases.size(), 1U);
  EXPECT_TRUE(cases[0].rephrases.empty());
  EXPECT_TRUE(cases[0].locality.empty());
  EXPECT_TRUE(cases[0].portability.empty());
  EXPECT_THAT(removed, UnorderedElementsAre(Pair("test question: rephrase", 1),
                                            Pair("test question: portability", 1),
                                            Pair("test question: locality", 1)));
}

}  // namespace
}  // namespace xkde
