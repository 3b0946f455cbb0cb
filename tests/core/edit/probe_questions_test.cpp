#include "core/edit/probe_questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/edit/probe_templates.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

const std::vector<std::string> kAll{"negation", "fact_check", "reverse", "prefix",
                                    "persona",  "completion", "distance"};

EditSide volvo_side() {
  EditSide one{.subject = "Volvo B12M",
               .src = "Which company owns Volvo B12M?",
               .alt = "Audi",
               .rephrases = {},
               .probes = {}};
  one.old_answers = {"Volvo", "AB Volvo"};
  return one;
}

class ProbeQuestions : public testing::Test {
 protected:
  std::vector<EditQuestion> ask(const EditSide& one, const std::vector<std::string>& probes,
                                const char* language = "en") {
    return probe_questions(one, language_of(language), probes, skipped_);
  }

  std::map<std::string, int64_t> skipped_;
};

TEST_F(ProbeQuestions, AreBuiltInTheOrderOfTheMetrics) {
  std::vector<std::string> names, targets;
  for (const EditQuestion& one : ask(volvo_side(), kAll)) {
    names.push_back(one.kind.name());
    targets.push_back(one.target);
    EXPECT_EQ(one.answers.front(), one.target);
    EXPECT_EQ(one.is_negated(), one.kind.metric == Metric::kNegation);
  }
  EXPECT_THAT(names, ElementsAre("negation", "fact_check.new", "fact_check.old", "reverse",
                                 "prefix", "persona", "completion", "distance"));
  EXPECT_THAT(targets,
              ElementsAre("Audi", "Yes", "No", "Volvo B12M", "Audi", "Audi", "Audi", "Audi"));
  EXPECT_TRUE(skipped_.empty());
  EXPECT_THAT(built_probe_names(), ElementsAre("negation", "fact_check", "reverse", "prefix",
                                               "persona", "completion", "distance"));
}

TEST_F(ProbeQuestions, AreSentencesAroundTheRow) {
  const std::vector<EditQuestion> asked = ask(volvo_side(), kAll);
  ASSERT_EQ(asked.size(), 8U);
  EXPECT_EQ(asked[0].question, "What answer to \"Which company owns Volvo B12M?\" would be wrong?");
  EXPECT_EQ(asked[1].question,
            "Is it true that the answer to \"Which company owns Volvo B12M?\" is \"Audi\"?");
  EXPECT_THAT(asked[2].question, HasSubstr("is \"Volvo\"?"));
  EXPECT_EQ(asked[3].question,
            "In \"Which company owns ___?\", something has been replaced with \"___\", and the "
            "answer is \"Audi\". What belongs in the gap?");
  EXPECT_EQ(asked[4].question, volvo_side().src);
  EXPECT_EQ(asked[4].preface, probe_templates("en")->passage);
  EXPECT_EQ(asked[5].question, volvo_side().src);
  EXPECT_EQ(asked[5].whole_text(),
            std::string(probe_templates("en")->persona) + "\n\n" + volvo_side().src);
  EXPECT_EQ(asked[6].question, "Which company owns Volvo B12M? The answer is");
  EXPECT_EQ(asked[7].whole_text(), asked[4].whole_text());
  // The one begins the prompt, the other the question.
  EXPECT_EQ(asked[4].shown_text(), volvo_side().src);
  EXPECT_EQ(asked[4].prompt_of("FACT. Q"), asked[4].preface + "\n\nFACT. Q");
  EXPECT_EQ(asked[7].shown_text(), asked[7].whole_text());
  EXPECT_EQ(asked[7].prompt_of("FACT. Q"), "FACT. Q");
}

TEST_F(ProbeQuestions, AreInTheTestLanguage) {
  EXPECT_THAT(ask(volvo_side(), {"fact_check"}, "de")[0].question, StartsWith("Stimmt es, dass"));
  EXPECT_EQ(ask(volvo_side(), {"fact_check"}, "cz")[0].target, "Ano");
  EXPECT_EQ(ask(volvo_side(), {"fact_check"}, "du")[1].target, "Nee");
}

TEST_F(ProbeQuestions, LeaveOutAndCountWhatARowDoesNotAllow) {
  EditSide bare = volvo_side();
  bare.old_answers.clear();
  bare.subject = "Volvo B12";  // Only a piece of a word of the question.
  bare.src = "The owner of Volvo B12M is";
  EXPECT_EQ(ask(bare, {"fact_check", "reverse", "completion"}).size(), 1U);
  EXPECT_THAT(skipped_,
              ElementsAre(Pair("completion: the question does not end with a question mark", 1),
                          Pair("fact_check.old: no old answer", 1),
                          Pair("reverse: subject not in the question", 1)));
  skipped_.clear();
  bare.subject.clear();
  bare.old_answers = {"the Audi"};
  ask(bare, {"fact_check", "reverse"});
  EXPECT_THAT(skipped_, ElementsAre(Pair("fact_check.old: the old answer is the new one", 1),
                                    Pair("reverse: no subject", 1)));
  skipped_.clear();
  bare.subject = "Volvo";
  bare.src = "Who owns Volvo, or VOLVO for short?";
  ask(bare, {"reverse"});
  bare.src = "Who owns Volvo?";
  bare.alt = "The Volvo Group";
  ask(bare, {"reverse"});
  EXPECT_THAT(skipped_, ElementsAre(Pair("reverse: the answer names the subject", 1),
                                    Pair("reverse: the question names the subject again", 1)));
}

TEST_F(ProbeQuestions, FindASubjectInsideATextWithoutBlanks) {
  EditSide one = volvo_side();
  one.subject = "洛拉";
  one.src = "洛拉的声音类型是什么？";
  one.alt = "女高音";
  const std::vector<EditQuestion> asked = ask(one, {"reverse", "completion"}, "zh");
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_THAT(asked[0].question, HasSubstr("“___的声音类型是什么？”"));
  EXPECT_EQ(asked[1].question, "洛拉的声音类型是什么？答案是");
}

TEST_F(ProbeQuestions, WithoutTemplatesAreAConfigErrorThatNamesTheLanguage) {
  EXPECT_TRUE(ask(volvo_side(), {}, "ar").empty());
  try {
    ask(volvo_side(), {"persona"}, "ar");
    FAIL() << "expected a ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("expected a test language with templates (en, cs, de"));
    EXPECT_THAT(error.what(), HasSubstr("found ar"));
  }
}

}  // namespace
}  // namespace xkde
