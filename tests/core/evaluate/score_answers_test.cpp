#include "core/evaluate/score_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/core/evaluate/eval_cases.h"
#include "tests/support/byte_tokenizer.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::Pair;

/// An answer of one token to each prompt: what is predicted is right for the prompts at `right`.
EvalAnswers answers_to(const EvalQuestionnaire& asked, const std::vector<size_t>& right) {
  EvalAnswers answers;
  for (size_t i = 0; i < asked.prompts.size(); ++i) answers.prompts.push_back({{20}, {30}});
  for (const size_t i : right) answers.prompts[i].predicted_ids = {30};
  for (const FreePrompt& prompt : asked.free_prompts)
    answers.free.push_back({"says " + prompt.text.user, true});
  for (const EvalText& text : asked.fluency_prompts) answers.fluency.push_back(text.user);
  return answers;
}

EvalOptions bare_options() {
  EvalOptions options;
  options.method = &none_method();
  return options;
}

TEST(ScoreAnswers, ComparesWithTheTargetAndLocalityWithTheBareAnswer) {
  const EvalInputs inputs = test::eval_inputs(1);
  const EvalQuestionnaire asked = test::questionnaire(bare_options(), inputs);

  const ScoredEvaluation scored =
      score_answers(bare_options(), inputs, asked, answers_to(asked, {1}), test::byte_tokenizer());

  ASSERT_EQ(scored.blocks.size(), 1U);
  const std::vector<Prediction>& all = scored.blocks.begin()->second.predictions;
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].record, 10);
  EXPECT_EQ(all[0].prompt, "q0");
  EXPECT_EQ(all[0].score, 1.0);
  EXPECT_EQ(all[1].score, 0.0);
  EXPECT_THAT(all[2].target_ids, ElementsAre(20));
  EXPECT_EQ(all[2].score, 1.0);
  EXPECT_FALSE(all[2].base_locality);
  EXPECT_FALSE(all[0].retrieved);
  EXPECT_TRUE(all[0].extra.empty());
}

TEST(ScoreAnswers, ComparesLocalityWithTheModelBeforeTrainingToo) {
  const EvalInputs inputs = test::eval_inputs(1);
  const EvalQuestionnaire asked = test::questionnaire(bare_options(), inputs);
  EvalAnswers answers = answers_to(asked, {});
  answers.references = {{{31}, {30}}};

  const ScoredEvaluation scored =
      score_answers(bare_options(), inputs, asked, answers, test::byte_tokenizer());

  EXPECT_EQ(scored.blocks.begin()->second.predictions[2].base_locality, 0.0);
  EXPECT_FALSE(scored.blocks.begin()->second.predictions[0].base_locality);
}

TEST(ScoreAnswers, LeavesOutWhatDidNotFitTheContext) {
  const EvalInputs inputs = test::eval_inputs(2);
  const EvalQuestionnaire asked = test::questionnaire(bare_options(), inputs);
  EvalAnswers answers = answers_to(asked, {});
  answers.prompts[0] = {};  // "far", which is its own reference
  answers.prompts[1] = {};  // "q0"

  const ScoredEvaluation scored =
      score_answers(bare_options(), inputs, asked, answers, test::byte_tokenizer());

  EXPECT_EQ(scored.blocks.begin()->second.predictions.size(), 3U);
  EXPECT_THAT(scored.skipped,
              ElementsAre(Pair("locality: prompt longer than the model's context", 2),
                          Pair("reliability: prompt longer than the model's context", 1)));
}

TEST(ScoreAnswers, CountsWhatElseIsAskedInTheOrderOfTheTable) {
  EvalOptions options = bare_options();
  options.extra_metrics = {"exact", "fluency", "f1"};
  const EvalInputs inputs = test::eval_inputs(1);
  const EvalQuestionnaire asked = test::questionnaire(options, inputs);
  EvalAnswers answers = answers_to(asked, {1});
  answers.free[0].text = "A0.";

  const ScoredEvaluation scored =
      score_answers(options, inputs, asked, answers, test::byte_tokenizer());

  const ScoredBlock& block = scored.blocks.begin()->second;
  const auto scores = [](const Prediction& prediction) {
    std::vector<std::string> texts;
    for (const auto& [metric, value] : prediction.extra)
      texts.push_back(concat(metric->name, " ", value));
    return texts;
  };
  EXPECT_THAT(scores(block.predictions[0]), ElementsAre("f1 1", "em 1", "exact 1"));
  EXPECT_EQ(block.predictions[0].answer, "A0.");
  EXPECT_THAT(scores(block.predictions[1]), ElementsAre("f1 0", "em 0", "exact 0"));
  EXPECT_THAT(scores(block.predictions[2]), ElementsAre("f1 1", "em 1"));
  ASSERT_EQ(block.of_edits.size(), 1U);
  EXPECT_EQ(block.of_edits[0].metric, "fluency");
  EXPECT_EQ(block.of_edits[0].values.size(), 1U);
}

EvalOptions chat_options() {
  EvalOptions options = bare_options();
  options.free_answers.emplace();
  options.free_answers->contexts = {"chat"};
  options.free_answers->scorers = {"exact", "contains"};
  return options;
}

std::vector<double> values_of(const std::vector<FreeScore>& scores) {
  std::vector<double> values;
  for (const FreeScore& score : scores) values.push_back(score.value);
  return values;
}

TEST(ScoreAnswers, HoldsFreeAnswersAgainstWhatIsRightAndLocalityAgainstTheBareAnswer) {
  const EvalInputs inputs = test::eval_inputs(1);
  const EvalQuestionnaire asked = test::questionnaire(chat_options(), inputs);
  EvalAnswers answers = answers_to(asked, {});
  answers.free[asked.items[0].free[0]] = {"It is a0.", false};

  const ScoredEvaluation scored =
      score_answers(chat_options(), inputs, asked, answers, test::byte_tokenizer());

  const std::vector<Prediction>& all = scored.blocks.begin()->second.predictions;
  ASSERT_EQ(all[0].free.size(), 1U);
  EXPECT_EQ(all[0].fact, "q0 a0");
  EXPECT_EQ(all[2].question, "far");
  EXPECT_EQ(all[2].target, "l");
  EXPECT_EQ(all[0].free[0].answer.text, "It is a0.");
  EXPECT_FALSE(all[0].free[0].answer.stopped);
  EXPECT_THAT(values_of(all[0].free[0].scores), ElementsAre(0.0, 1.0));
  EXPECT_THAT(values_of(all[1].free[0].scores), ElementsAre(0.0, 0.0));
  EXPECT_THAT(values_of(all[2].free[0].scores), ElementsAre(1.0, 1.0));
  EXPECT_TRUE(all[2].free[0].base_scores.empty());
}

TEST(ScoreAnswers, HoldsFreeLocalityAgainstTheModelBeforeTrainingToo) {
  const EvalInputs inputs = test::eval_inputs(1);
  const EvalQuestionnaire asked = test::questionnaire(chat_options(), inputs);
  EvalAnswers answers = answers_to(asked, {});
  answers.free_references = {{"far", true}};

  const ScoredEvaluation scored =
      score_answers(chat_options(), inputs, asked, answers, test::byte_tokenizer());

  const std::vector<Prediction>& all = scored.blocks.begin()->second.predictions;
  EXPECT_THAT(values_of(all[2].free[0].scores), ElementsAre(1.0, 1.0));
  EXPECT_THAT(values_of(all[2].free[0].base_scores), ElementsAre(0.0, 1.0));  // "says far"
  EXPECT_TRUE(all[0].free[0].base_scores.empty());
}

TEST(ScoreAnswers, AsksAJudgeAboutEachAnswerOnce) {
  EvalOptions options = chat_options();
  options.judge.emplace();
  options.free_answers->contexts = {"question", "chat"};
  const EvalInputs inputs = test::eval_inputs(1);
  const EvalQuestionnaire asked = test::questionnaire(options, inputs);
  EvalAnswers answers = answers_to(asked, {});
  answers.free_references.assign(asked.free_references.size(), {"far away", true});

  ScoredEvaluation scored = score_answers(options, inputs, asked, answers, test::byte_tokenizer());

  // Both contexts have the same answers; locality is held against what is said without the edit.
  EXPECT_THAT(scored.to_judge, ElementsAre(JudgeQuestion{"q0", {"a0"}, "says q0"},
                                           JudgeQuestion{"r0", {"a0"}, "says r0"},
                                           JudgeQuestion{"far", {"says far"}, "says far"},
                                           JudgeQuestion{"far", {"far away"}, "says far"}));
  take_verdicts({{scored.to_judge[0], JudgeVerdict{-1, -2}},
                 {scored.to_judge[1], std::nullopt},
                 {scored.to_judge[2], JudgeVerdict{-1, -2}},
                 {scored.to_judge[3], JudgeVerdict{-2, -1}}},
                scored);
  const std::vector<Prediction>& all = scored.blocks.begin()->second.predictions;
  for (const size_t context : {0U, 1U}) {
    EXPECT_TRUE(all[0].free[context].judged->verdict->is_right());
    EXPECT_FALSE(all[1].free[context].judged->verdict);
    EXPECT_TRUE(all[2].free[context].judged->verdict->is_right());
    EXPECT_FALSE(all[2].free[context].base_judged->verdict->is_right());
  }
  EXPECT_THAT(scored.skipped, ElementsAre(Pair("judge: prompt longer than its context", 2)));
}

TEST(ScoreAnswers, AsksNoJudgeAboutLocalityWhereNothingWasSaidWithoutTheEdit) {
  EvalOptions options = chat_options();
  options.judge.emplace();
  const EvalInputs inputs = test::eval_inputs(1);
  const EvalQuestionnaire asked = test::questionnaire(options, inputs);
  EvalAnswers answers = answers_to(asked, {});
  answers.free[asked.free_references.front()].text = " \n";

  const ScoredEvaluation scored =
      score_answers(options, inputs, asked, answers, test::byte_tokenizer());

  EXPECT_EQ(scored.to_judge.size(), 2U);
  EXPECT_FALSE(scored.blocks.begin()->second.predictions[2].free[0].judged);
}

/// One edit that is asked a negation and both fact checks.
EvalInputs probed_inputs() {
  EvalInputs inputs = test::eval_inputs(1);
  const auto asked = [](MetricKind kind, const std::string& question, const std::string& target) {
    return EditQuestion{
        .kind = kind, .probe = 0, .question = question, .target = target, .answers = {target}};
  };
  inputs.streams[0].edits[0].asked = {
      asked({Metric::kNegation, {}}, "n", "a0"),
      asked({Metric::kFactCheck, ProbeKind::kNewAnswer}, "new", "Sí"),
      asked({Metric::kFactCheck, ProbeKind::kOldAnswer}, "old", "No")};
  return inputs;
}

TEST(ScoreAnswers, CountsANegationByWhatItDoesNotSayAndFactChecksByTheirVerdict) {
  EvalOptions options = chat_options();
  options.extra_metrics = {"f1", "exact"};
  const EvalInputs inputs = probed_inputs();
  const EvalQuestionnaire asked = test::questionnaire(options, inputs);
  EvalAnswers answers = answers_to(asked, {asked.items[0].prompt, asked.items[1].prompt});
  const auto say = [&](size_t item, const char* text) {
    answers.free[asked.items[item].free.back()].text = text;
  };
  say(0, "It is a0.");
  say(1, "Sí, es a0.");
  say(2, "Sí.");

  const ScoredEvaluation scored =
      score_answers(options, inputs, asked, answers, test::byte_tokenizer());

  const std::vector<Prediction>& all = scored.blocks.begin()->second.predictions;
  EXPECT_EQ(all[0].score, 0.0);
  EXPECT_EQ(all[1].score, 1.0);
  EXPECT_EQ(all[2].score, 0.0);
  EXPECT_THAT(values_of(all[0].free[0].scores), ElementsAre(1.0, 0.0));
  EXPECT_THAT(values_of(all[1].free[0].scores), ElementsAre(0.0, 1.0, 1.0));
  EXPECT_THAT(values_of(all[2].free[0].scores), ElementsAre(0.0, 0.0, 0.0));
  EXPECT_EQ(all[0].extra[0].value, 0.0);  // f1 of the same token
  EXPECT_EQ(all[0].extra[2].value, 1.0);  // "says n" is not the wrong answer
}

TEST(ScoreAnswers, LaysTheAnswerRightAfterTheEditBesideThatOfTheEnd) {
  EvalOptions options = chat_options();
  options.method = &xkde_method();
  options.mode = EditMode::kSequential;
  options.sizes = {2};
  options.by_age = true;
  const EvalInputs inputs = test::eval_inputs(2);
  const auto moments = edit_moments(options.mode, options.sizes, options.eval_when,
                                    inputs.edits_of_stream(), options.by_age);
  ASSERT_EQ(moments.size(), 4U);
  // Three questions a moment: at the end the first edit's are answered with the second fact.
  const Retrieved retrieved{{1}, {1}, {1}, {0}, {0}, {0}, {1}, {1}, {1}, {1}, {1}, {1}};
  const EvalQuestionnaire asked = make_questionnaire(options, inputs, moments, retrieved, {});
  EvalAnswers answers = answers_to(asked, {});
  answers.prompts[asked.items[3].prompt].predicted_ids = {30};

  const ScoredEvaluation scored =
      score_answers(options, inputs, asked, answers, test::byte_tokenizer());

  const std::vector<Prediction>& all = scored.blocks.begin()->second.predictions;
  ASSERT_EQ(all.size(), 6U);
  EXPECT_EQ(all[0].age, 2);
  EXPECT_EQ(all[3].age, 1);
  ASSERT_EQ(all[0].at_once.size(), 1U);
  EXPECT_EQ(all[0].score, 0.0);
  EXPECT_EQ(all[0].at_once[0].score, 1.0);
  EXPECT_THAT(*all[0].retrieved, ElementsAre(11));
  EXPECT_THAT(*all[0].at_once[0].retrieved, ElementsAre(10));
  ASSERT_EQ(all[0].at_once[0].free.size(), 1U);
  ASSERT_EQ(all[5].at_once.size(), 1U);
  EXPECT_EQ(all[5].at_once[0].kind.metric, Metric::kLocality);
  const Json line = prediction_json({"mzsre", "before", "sequential", 2, "xkde"}, all[0]);
  EXPECT_EQ(line["age"], 2);
  EXPECT_EQ(line["at_once"]["score"], 1.0);
  EXPECT_EQ(line["at_once"]["retrieved"], Json::array({10}));
  EXPECT_TRUE(line["at_once"].contains("free"));
}

TEST(ScoreAnswers, NamesTheRecordsThatWereRetrieved) {
  EvalOptions options;
  options.mode = EditMode::kBatch;
  options.sizes = {2};
  const EvalInputs inputs = test::eval_inputs(2);
  const auto moments =
      edit_moments(options.mode, options.sizes, options.eval_when, inputs.edits_of_stream());
  const EvalQuestionnaire asked =
      make_questionnaire(options, inputs, moments, {{1}, {0}, {}, {1}, {1}, {1}}, {});

  const ScoredEvaluation scored =
      score_answers(options, inputs, asked, answers_to(asked, {}), test::byte_tokenizer());

  const std::vector<Prediction>& all = scored.blocks.at({0, 0}).predictions;
  EXPECT_THAT(*all[0].retrieved, ElementsAre(11));
  EXPECT_EQ(all[0].rank_of_fact, 0);
  EXPECT_EQ(all[1].rank_of_fact, 1);
  EXPECT_TRUE(all[2].retrieved->empty());
}

}  // namespace
}  // namespace xkde
