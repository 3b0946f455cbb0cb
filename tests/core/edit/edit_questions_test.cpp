#include "core/edit/edit_questions.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/core/edit/edit_records.h"

namespace xkde {
namespace {

using test::edit_record;
using test::english_record;
using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return concat(error.kind(), ": ", error.what());
  }
  return "nothing was thrown";
}

std::vector<Metric> metrics_of(const std::vector<EditQuestion>& questions) {
  std::vector<Metric> metrics;
  for (const EditQuestion& question : questions) metrics.push_back(question.kind.metric);
  return metrics;
}

TEST(EditQuestions, FourMetricsAskTheTestSide) {
  const std::vector<EditQuestion> questions = edit_questions(edit_record(3).sides.at("en"));

  ASSERT_THAT(metrics_of(questions), ElementsAre(Metric::kReliability, Metric::kGenerality,
                                                 Metric::kLocality, Metric::kPortability));
  EXPECT_EQ(questions[0].question, "who 3?");
  EXPECT_EQ(questions[0].target, "me 3");
  EXPECT_EQ(questions[1].question, "again 3?");
  EXPECT_EQ(questions[1].target, "me 3");
  EXPECT_EQ(questions[2].question, "nq question: far 3");
  EXPECT_EQ(questions[2].target, "four");
  EXPECT_EQ(questions[3].question, "hop 3?");
  EXPECT_EQ(questions[3].target, "one");
}

TEST(EditQuestions, WhatARecordDoesNotHaveIsNotAsked) {
  EditSide side = edit_record(0).sides.at("en");
  side.probes.pop_back();
  side.rephrases.clear();

  EXPECT_THAT(metrics_of(edit_questions(side)),
              ElementsAre(Metric::kReliability, Metric::kLocality));
}

EvalEdit eval(const EditRecord& record, const char* edit, const char* test) {
  std::map<std::string, int64_t> skipped;
  EvalEdit result =
      eval_edit(record, language_of(edit), language_of(test), QuestionForm::kEasyEdit, skipped);
  EXPECT_TRUE(skipped.empty());
  return result;
}

TEST(EvalEdit, CountsWhatTheTestLanguagesSideGoesWithout) {
  EditRecord record = edit_record(3);
  record.sides.at("es").left_out = {"loc_ans: empty"};
  std::map<std::string, int64_t> skipped;

  eval_edit(record, language_of("en"), language_of("es"), QuestionForm::kEasyEdit, skipped);
  eval_edit(record, language_of("es"), language_of("en"), QuestionForm::kEasyEdit, skipped);

  EXPECT_EQ(skipped, (std::map<std::string, int64_t>{{"loc_ans: empty", 1}}));
}

TEST(EvalEdit, FactIsInTheEditLanguageAndQuestionsInTheOther) {
  const EvalEdit edit = eval(edit_record(3), "en", "es");

  EXPECT_EQ(edit.record, 3);
  EXPECT_EQ(edit.question, "who 3?");
  EXPECT_EQ(edit.target, "me 3");
  ASSERT_EQ(edit.asked.size(), 4U);
  EXPECT_EQ(edit.asked[2].question, "lejos 3");
  EXPECT_EQ(edit.asked[2].kind.name(), "locality");
}

TEST(EditQuestions, EveryRephrasingIsAskedAndEveryAliasIsRight) {
  EditSide side = edit_record(3).sides.at("en");
  side.rephrases = {"again 3?", "once more 3?"};
  side.aliases = {"myself", "I"};

  const std::vector<EditQuestion> questions = edit_questions(side);

  ASSERT_EQ(questions.size(), 5U);
  EXPECT_THAT(questions[0].answers, ElementsAre("me 3", "myself", "I"));
  for (const size_t i : {size_t{1}, size_t{2}}) {
    EXPECT_EQ(questions[i].kind.name(), "generality");
    EXPECT_EQ(questions[i].probe, static_cast<int64_t>(i) - 1);
    EXPECT_EQ(questions[i].question, side.rephrases[i - 1]);
    EXPECT_EQ(questions[i].target, "me 3");
    EXPECT_THAT(questions[i].answers, ElementsAre("me 3", "myself", "I"));
  }
}

TEST(EvalEdit, RecordWithoutTheLanguageIsADataError) {
  EXPECT_THAT(error_of([] { eval(edit_record(3), "en", "fr"); }),
              HasSubstr("DataError: record 3: expected a side in French"));
}

/// A record with two reasoning prompts and a forgetfulness prompt whose first answer is blank.
EditRecord knowedit_record() {
  EditSide side;
  side.src = "The river is";
  side.alt = "Tessel";
  side.rephrases = {"Over which?"};
  side.probes = {{ProbeKind::kForgetfulness, "Old?", {{"Lorne"}}, 0, ""},
                 {ProbeKind::kReasoning, "Sea?", {{"North", "N"}, {"South"}}, 0, "North"},
                 {ProbeKind::kReasoning, "Source?", {{"Hill"}}, 1, "Hill"}};
  return english_record(5, side);
}

TEST(EvalEdit, EasyEditAsksEveryPromptThatHasAFirstAnswer) {
  std::map<std::string, int64_t> skipped;

  const EvalEdit edit = eval_edit(knowedit_record(), language_of("en"), language_of("en"),
                                  QuestionForm::kEasyEdit, skipped);

  ASSERT_EQ(edit.asked.size(), 4U);
  EXPECT_EQ(edit.asked[0].question, "The river is");
  EXPECT_EQ(edit.asked[1].kind.name(), "generality");
  EXPECT_EQ(edit.asked[2].kind.name(), "portability.Reasoning");
  EXPECT_EQ(edit.asked[2].target, "North");
  EXPECT_THAT(edit.asked[2].answers, ElementsAre("North", "N", "South"));
  EXPECT_EQ(edit.asked[3].probe, 1);
  EXPECT_THAT(skipped, ElementsAre(std::pair<const std::string, int64_t>(
                           "locality.Forgetfulness: first answer empty", 1)));
}

TEST(EvalEdit, LteAsksTheFirstPromptOfEachKindAndNoRephrase) {
  std::map<std::string, int64_t> skipped;

  const EvalEdit edit = eval_edit(knowedit_record(), language_of("en"), language_of("en"),
                                  QuestionForm::kLte, skipped);

  ASSERT_EQ(edit.asked.size(), 2U);
  EXPECT_EQ(edit.asked[1].question, "Sea?");
}

}  // namespace
}  // namespace xkde
