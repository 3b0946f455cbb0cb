#include "core/edit/build_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/edit/prompt.h"
#include "tests/core/edit/edit_records.h"

namespace xkde {
namespace {

using test::edit_record;
using test::probe;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> ids_of(const std::vector<TrainingExample>& examples) {
  std::vector<std::string> ids;
  for (const TrainingExample& example : examples) ids.push_back(example.id);
  return ids;
}

std::vector<TrainingExample> build(const std::vector<EditRecord>& records, const char* edit,
                                   const char* test, const BuildOptions& options) {
  std::vector<TrainingExample> examples;
  append_examples(examples, records, "bmike53", language_of(edit), language_of(test), options);
  return examples;
}

TEST(BuildData, OrderIsPairRecordQuestion) {
  std::vector<TrainingExample> examples = build({edit_record(4), edit_record(5)}, "en", "es", {});
  append_examples(examples, {edit_record(4)}, "bmike53", language_of("es"), language_of("en"), {});

  EXPECT_THAT(ids_of(examples),
              ElementsAre("identity_0_bmike53_enes_src", "identity_1_bmike53_enes_rephrase",
                          "identity_2_bmike53_enes_loc", "identity_3_bmike53_enes_src",
                          "identity_4_bmike53_enes_rephrase", "identity_5_bmike53_enes_loc",
                          "identity_6_bmike53_esen_src", "identity_7_bmike53_esen_rephrase",
                          "identity_8_bmike53_esen_loc"));
}

TEST(BuildData, QuestionIsInTheTestLanguageAndFactInTheEditLanguage) {
  const BuildOptions options{{QuestionKind::kRephrase, QuestionKind::kPortability}, false};

  const std::vector<TrainingExample> examples = build({edit_record(4)}, "en", "es", options);

  ASSERT_EQ(examples.size(), 2U);
  EXPECT_EQ(examples[0].user, edit_prompt({"who 4? me 4"}, "otra 4?", "Spanish"));
  EXPECT_EQ(examples[0].answer, "yo 4");
  EXPECT_EQ(examples[1].user, edit_prompt({"who 4? me 4"}, "salto 4?", "Spanish"));
  EXPECT_EQ(examples[1].answer, "uno");
}

TEST(BuildData, PrefixOfNaturalQuestionsIsKept) {
  const BuildOptions options{{QuestionKind::kLoc}, false};
  EXPECT_THAT(build({edit_record(4)}, "en", "en", options).at(0).user,
              HasSubstr("[Query]:\nnq question: far 4"));
}

TEST(BuildData, WithoutEditAddsTheBareLocalityQuestion) {
  const BuildOptions options{{QuestionKind::kSrc, QuestionKind::kLoc}, true};

  const std::vector<TrainingExample> examples = build({edit_record(4)}, "en", "es", options);

  EXPECT_THAT(ids_of(examples),
              ElementsAre("identity_0_bmike53_enes_src", "identity_1_bmike53_enes_loc",
                          "identity_2_bmike53_enes_loc_without_edit"));
  EXPECT_EQ(examples[2].user, "lejos 4");
  EXPECT_EQ(examples[2].answer, "cuatro");
}

TEST(BuildData, QuestionThatARecordLacksIsLeftOut) {
  EditRecord record = edit_record(4);
  record.sides["es"].probes.pop_back();

  EXPECT_TRUE(build({record}, "en", "es", {{QuestionKind::kPortability}, false}).empty());
}

TEST(BuildData, EveryQuestionOfAKindIsAnExample) {
  EditRecord record = edit_record(4);
  record.sides["es"].rephrases = {"otra 4?", "otra vez 4?"};
  record.sides["es"].probes.insert(record.sides["es"].probes.begin() + 1,
                                   probe(ProbeKind::kLocality, "cerca 4", "dos"));
  const BuildOptions options{{QuestionKind::kRephrase, QuestionKind::kLoc}, true};

  const std::vector<TrainingExample> examples = build({record}, "en", "es", options);

  std::vector<std::string> questions;
  for (const TrainingExample& example : examples) questions.push_back(example.question);
  EXPECT_THAT(questions,
              ElementsAre("otra 4?", "otra vez 4?", "lejos 4", "lejos 4", "cerca 4", "cerca 4"));
  EXPECT_EQ(examples[5].user, "cerca 4");
  EXPECT_EQ(examples[5].answer, "dos");
}

TEST(BuildData, RecordWithoutTheLanguageIsADataError) {
  EXPECT_THROW(build({edit_record(4)}, "en", "fr", {}), DataError);
}

TEST(BuildData, TestQuestionsAreRemovedAndCounted) {
  std::vector<TrainingExample> examples = build({edit_record(4), edit_record(5)}, "en", "en",
                                                {{QuestionKind::kSrc, QuestionKind::kLoc}, false});

  TestQuestions asked;
  asked.add(edit_record(5));

  const int64_t removed = remove_test_questions(examples, asked);

  EXPECT_EQ(removed, 2);
  EXPECT_THAT(ids_of(examples),
              ElementsAre("identity_0_bmike53_enen_src", "identity_1_bmike53_enen_loc"));
}

TEST(BuildData, ConversationHasUserAndAssistant) {
  const std::vector<Conversation> rows = to_conversations(build({edit_record(4)}, "en", "es", {}));

  ASSERT_EQ(rows.size(), 3U);
  ASSERT_EQ(rows[0].turns.size(), 2U);
  EXPECT_EQ(rows[0].id, "identity_0_bmike53_enes_src");
  EXPECT_EQ(rows[0].turns[0].role, ChatMessage::Role::kUser);
  EXPECT_EQ(rows[0].turns[1].content, "yo 4");
}

TEST(QuestionKind, NamesAreTheRecipes) {
  for (const char* name : {"src", "rephrase", "loc", "portability"}) {
    EXPECT_EQ(question_kind_name(question_kind_from_name(name)), name);
  }
  try {
    question_kind_from_name("locality");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("expected some of src, rephrase, loc, portability, found \"locality\""));
  }
}

}  // namespace
}  // namespace xkde
