#include "core/evaluate/eval_questionnaire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/core/evaluate/eval_cases.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> users(const std::vector<EvalText>& texts) {
  std::vector<std::string> all;
  for (const EvalText& text : texts) all.push_back(text.user);
  return all;
}

std::vector<std::string> users(const std::vector<FreePrompt>& prompts) {
  std::vector<std::string> all;
  for (const FreePrompt& prompt : prompts) all.push_back(prompt.text.user);
  return all;
}

/// "words > target" of each prompt.
std::vector<std::string> prompts_of(const EvalQuestionnaire& asked) {
  std::vector<std::string> all;
  for (const EvalPrompt& prompt : asked.prompts)
    all.push_back(prompt.text.user + " > " + prompt.target);
  return all;
}

EvalOptions options_of(const EditMethod& method) {
  EvalOptions options;
  options.method = &method;
  return options;
}

TEST(Questionnaire, AsksEqualWordsOnceAndSortsThem) {
  const EvalInputs inputs = test::eval_inputs(2);
  const EvalQuestionnaire asked = test::questionnaire(options_of(none_method()), inputs);

  EXPECT_THAT(prompts_of(asked),
              ElementsAre("far > l", "q0 > a0", "q1 > a1", "r0 > a0", "r1 > a1"));
  std::vector<size_t> places;
  for (const EvalItem& item : asked.items) places.push_back(item.prompt);
  EXPECT_THAT(places, ElementsAre(1, 3, 0, 2, 4, 0));
  EXPECT_EQ(asked.prompts[1].edits, 1);
  EXPECT_EQ(asked.prompts[3].edits, 0);
}

TEST(Questionnaire, SortsTextsByWeightsFirst) {
  EXPECT_LT((EvalText{0, "z"}), (EvalText{1, "a"}));
  EXPECT_LT((EvalText{1, "a"}), (EvalText{1, "b"}));
  const EvalInputs inputs = test::eval_inputs(1);
  for (const EvalPrompt& prompt : test::questionnaire(options_of(xkde_method()), inputs).prompts)
    EXPECT_EQ(prompt.text.weights, 0U);
}

/// Shows nothing, and makes weights of the edits.
class Writes final : public EditMethod {
 public:
  std::string_view name() const override { return "writes"; }
  bool needs_memory() const override { return false; }
  std::optional<EditorKind> editor() const override { return EditorKind::kRome; }

 private:
  std::string prompt_with_facts(const PromptParts& parts) const override {
    return bare_prompt(parts.question);
  }
};

TEST(Questionnaire, AsksEachMomentOfTheWeightsThatHoldItsEdits) {
  const Writes method;
  EvalOptions options = options_of(method);
  options.mode = EditMode::kSequential;
  options.eval_when = EvalWhen::kImmediate;
  options.sizes = {2};
  options.extra_metrics = {"fluency"};
  const EvalInputs inputs = test::eval_inputs(2);

  const EvalQuestionnaire asked = test::questionnaire(options, inputs);

  EXPECT_THAT(asked.edited, ElementsAre(EditedWeights{0, 0, 1}, EditedWeights{0, 0, 2}));
  std::vector<size_t> weights;
  for (const EvalItem& item : asked.items)
    weights.push_back(asked.prompts[item.prompt].text.weights);
  EXPECT_THAT(weights, ElementsAre(1, 1, 1, 2, 2, 2));
  // The same words are asked once of each model, and once more of the trained one to compare with.
  EXPECT_THAT(prompts_of(asked), ElementsAre("far > l", "far > l", "q0 > a0", "r0 > a0", "far > l",
                                             "q1 > a1", "r1 > a1"));
  EXPECT_EQ(asked.prompts[asked.references.at(0)].text.weights, 0U);
  EXPECT_EQ(asked.fluency_prompts, (std::vector<EvalText>{{1, "q0"}, {2, "q1"}}));
}

TEST(Questionnaire, AsksABatchOfOneSetOfWeights) {
  const Writes method;
  EvalOptions options = options_of(method);
  options.mode = EditMode::kBatch;
  options.sizes = {2};

  const EvalQuestionnaire asked = test::questionnaire(options, test::eval_inputs(2));

  EXPECT_THAT(asked.edited, ElementsAre(EditedWeights{0, 0, 2}));
}

TEST(Questionnaire, AsksStreamsOfTheSameEditsOfOneSetOfWeights) {
  const Writes method;
  EvalOptions options = options_of(method);
  options.mode = EditMode::kBatch;
  options.sizes = {2};
  EvalInputs inputs = test::eval_inputs(2);
  // The same edits asked in a second language, and others in a third.
  inputs.pairs.push_back({inputs.pairs[0].first, "fr"});
  inputs.pairs.push_back({inputs.pairs[0].first, "es"});
  for (size_t pair = 1; pair < 3; ++pair) {
    EvalStream stream = inputs.streams[0];
    stream.pairs.assign(stream.pairs.size(), pair);
    inputs.streams.push_back(stream);
  }
  inputs.streams[2].edits[0].target = "another";

  const EvalQuestionnaire asked = test::questionnaire(options, inputs);

  EXPECT_THAT(asked.edited, ElementsAre(EditedWeights{0, 0, 2}, EditedWeights{2, 0, 2}));
}

TEST(Questionnaire, WritesAPrefaceInFrontOfThePromptOrTheQuestion) {
  EvalInputs inputs = test::eval_inputs(1);
  std::vector<EditQuestion>& questions = inputs.streams[0].edits[0].asked;
  questions[0].preface = questions[1].preface = "You keep a shop.";
  questions[1].preface_place = PrefacePlace::kQuestion;

  const EvalQuestionnaire asked = test::questionnaire(options_of(ike_method()), inputs);

  EXPECT_EQ(asked.prompts[asked.items[0].prompt].text.user,
            "You keep a shop.\n\nNew Fact: q0 a0\nPrompt: q0");
  EXPECT_EQ(asked.prompts[asked.items[1].prompt].text.user,
            "New Fact: q0 a0\nPrompt: You keep a shop.\n\nr0");
}

TEST(Questionnaire, IsKnownByItsTextsAndWeights) {
  EvalQuestionnaire asked;
  asked.prompts = {{.text = {0, "a"}, .target = "bc"}, {.text = {1, "d"}, .target = "e"}};
  asked.free_prompts = {{FreeContext::kChat, {0, "f"}}};
  const std::string digest = digest_of(asked);

  const auto changed = [&](const auto& change) {
    EvalQuestionnaire other = asked;
    change(other);
    return digest_of(other) != digest;
  };
  EXPECT_FALSE(changed([](EvalQuestionnaire& one) { one.prompts[0].edits = 1; }));
  EXPECT_TRUE(changed([](EvalQuestionnaire& one) { one.prompts[0] = {{0, "ab"}, "c", 0}; }));
  EXPECT_TRUE(changed([](EvalQuestionnaire& one) { one.prompts[1].text.weights = 2; }));
  EXPECT_TRUE(changed([](EvalQuestionnaire& one) { std::swap(one.prompts[0], one.prompts[1]); }));
  EXPECT_TRUE(changed(
      [](EvalQuestionnaire& one) { one.free_prompts[0].context = FreeContext::kQuestion; }));
  EXPECT_TRUE(changed([](EvalQuestionnaire& one) { one.fluency_prompts = {{0, "g"}}; }));
}

TEST(Questionnaire, ComparesLocalityWithTheBareQuestion) {
  const EvalInputs inputs = test::eval_inputs(2);
  const EvalQuestionnaire asked = test::questionnaire(options_of(ike_method()), inputs);

  ASSERT_EQ(asked.references.size(), 1U);
  EXPECT_EQ(asked.prompts[asked.references[0]].text.user, "far");
  EXPECT_FALSE(asked.items[0].reference);
  EXPECT_EQ(asked.items[2].reference, 0U);
  EXPECT_EQ(asked.items[5].reference, 0U);
  EXPECT_EQ(asked.prompts[asked.items[5].prompt].text.user, "New Fact: q1 a1\nPrompt: far");
}

TEST(Questionnaire, ShowsWhatTheMemoryGaveAndRanksTheEditsOwnFact) {
  EvalOptions options = options_of(xkde_method());
  options.mode = EditMode::kSequential;
  options.sizes = {2};
  const EvalInputs inputs = test::eval_inputs(2);
  const auto moments =
      edit_moments(options.mode, options.sizes, options.eval_when, inputs.edits_of_stream());
  const Retrieved retrieved{{1, 0}, {0}, {}, {0}, {1}, {1}};

  const EvalQuestionnaire asked = make_questionnaire(options, inputs, moments, retrieved, {});

  std::vector<int64_t> ranks;
  for (const EvalItem& item : asked.items) ranks.push_back(item.rank_of_fact);
  EXPECT_THAT(ranks, ElementsAre(2, 1, 0, 0, 1, 1));
  EXPECT_THAT(asked.prompts[asked.items[0].prompt].text.user, HasSubstr("1. q1 a1\n2. q0 a0\n"));
  EXPECT_EQ(asked.prompts[asked.items[2].prompt].text.user, "far");
}

TEST(Questionnaire, ShowsTheDemonstrationsOfTheFact) {
  const EvalInputs inputs = test::eval_inputs(2);
  const EvalOptions options = options_of(ike_method());
  const auto moments =
      edit_moments(options.mode, options.sizes, options.eval_when, inputs.edits_of_stream());

  const EvalQuestionnaire asked =
      make_questionnaire(options, inputs, moments, {}, {{"first ", "second "}});

  EXPECT_EQ(asked.prompts[asked.items[3].prompt].text.user, "second New Fact: q1 a1\nPrompt: q1");
}

TEST(Questionnaire, NamesTheLanguageThatThePublishedEvaluatorNames) {
  const EvalInputs inputs = test::eval_inputs(1);
  EvalOptions options;
  EXPECT_THAT(test::questionnaire(options, inputs).prompts[0].text.user,
              HasSubstr("query in Spanish."));
  options.prompt_language = PromptLanguage::kXk;
  EXPECT_THAT(test::questionnaire(options, inputs).prompts[0].text.user,
              HasSubstr("query in Chinese."));
}

TEST(Questionnaire, AsksFreelyAndForContinuationsOnlyWhereAMetricLooksAtThem) {
  const EvalInputs inputs = test::eval_inputs(2);
  EvalOptions options = options_of(none_method());
  EXPECT_TRUE(test::questionnaire(options, inputs).free_prompts.empty());
  options.extra_metrics = {"exact", "fluency"};

  const EvalQuestionnaire asked = test::questionnaire(options, inputs);

  EXPECT_THAT(users(asked.free_prompts), ElementsAre("q0", "q1", "r0", "r1"));
  EXPECT_THAT(asked.items[1].free, ElementsAre(2));
  EXPECT_TRUE(asked.items[2].free.empty());
  EXPECT_THAT(users(asked.fluency_prompts), ElementsAre("q0", "q1"));
}

TEST(Questionnaire, AsksFreelyInEachContextAndLocalityWithoutTheEditToo) {
  const EvalInputs inputs = test::eval_inputs(1);
  EvalOptions options = options_of(ike_method());
  options.free_answers.emplace();
  options.free_answers->contexts = {"chat", "instruction"};

  const EvalQuestionnaire asked = test::questionnaire(options, inputs);

  std::vector<std::string> all;
  for (const FreePrompt& prompt : asked.free_prompts)
    all.push_back(concat(name_of(kFreeContextNames, prompt.context), ": ", prompt.text.user));
  const std::string brief =
      "instruction: Responde a la siguiente pregunta lo más brevemente posible, solo con la "
      "respuesta.\n\n";
  const std::string fact = "New Fact: q0 a0\nPrompt: ";
  EXPECT_THAT(all, ElementsAre(brief + fact + "far\nRespuesta:", brief + fact + "q0\nRespuesta:",
                               brief + fact + "r0\nRespuesta:", brief + "far\nRespuesta:",
                               "chat: " + fact + "far", "chat: " + fact + "q0",
                               "chat: " + fact + "r0", "chat: far"));
  EXPECT_THAT(asked.items[0].free, ElementsAre(1, 5));
  EXPECT_TRUE(asked.items[0].free_references.empty());
  EXPECT_THAT(asked.items[2].free, ElementsAre(0, 4));
  EXPECT_THAT(asked.free_references, ElementsAre(3, 7));
  EXPECT_THAT(asked.items[2].free_references, ElementsAre(0, 1));
}

}  // namespace
}  // namespace xkde
