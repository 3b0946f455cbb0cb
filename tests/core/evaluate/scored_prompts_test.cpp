#include "core/evaluate/scored_prompts.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/evaluate/eval_cases.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::byte_ids;
using test::byte_tokenizer;
using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

/// Two edits, rows 10 and 11 of a file that none of these tests read.
class PromptsOfEdits : public testing::Test {
 protected:
  PromptsOfEdits() {
    options_.benchmark = "mzsre";
    options_.data = folder_.write("asked_enes.json", "");
  }
  std::string place(const std::string& row) const { return options_.data.string() + ": " + row; }
  /// What the ids of all prompts throw.
  std::string fault(const ChatTemplate& chat) const {
    const EvalQuestionnaire asked = test::questionnaire(options_, inputs_);
    const ScoredPrompts prompts(options_, inputs_, asked, {tokenizer_, chat});
    return message_of([&] {
      for (size_t i = 0; i < asked.prompts.size(); ++i) prompts.at(i);
    });
  }

  test::TempFolder folder_;
  Tokenizer tokenizer_ = byte_tokenizer();
  EvalOptions options_;
  EvalInputs inputs_ = test::eval_inputs(2);
};

TEST_F(PromptsOfEdits, AreThoseOfTheFormatAndOfTheScoring) {
  const ChatTemplate chatml = ChatTemplate::select("chatml_no_system", "");
  options_.method = &none_method();
  const EvalQuestionnaire asked = test::questionnaire(options_, inputs_);  // "far" is the first
  const ScoredPrompts prompts(options_, inputs_, asked, {tokenizer_, chatml});

  EXPECT_EQ(prompts.at(0).ids, scored_sequence(tokenizer_, chatml, "far", "l").ids);

  options_.scoring = Scoring::kEasyEdit;
  EXPECT_EQ(prompts.at(0).ids, byte_ids("far "));
}

TEST_F(PromptsOfEdits, CountWhatEachSharesWithTheOneBefore) {
  options_.method = &none_method();
  options_.scoring = Scoring::kEasyEdit;  // "far l", "q0 a0", "q1 a1", "r0 a0", "r1 a1"
  const EvalQuestionnaire asked = test::questionnaire(options_, inputs_);
  const ScoredPrompts prompts(options_, inputs_, asked,
                              {tokenizer_, ChatTemplate::select("plain", "")});

  std::vector<std::pair<int64_t, int64_t>> counts;
  for (const PromptTokens& one : prompts.tokens(prompts.numbers()))
    counts.emplace_back(one.whole, one.shared);
  EXPECT_THAT(counts, ElementsAre(Pair(4, 0), Pair(4, 0), Pair(4, 1), Pair(4, 0), Pair(4, 1)));

  const std::vector<size_t> some{2, 4};
  EXPECT_EQ(prompts.tokens(some)[1].shared, 0);
}

TEST_F(PromptsOfEdits, ATargetWithoutATokenIsNamedByItsRow) {
  const ChatTemplate plain = ChatTemplate::select("plain", "");
  EXPECT_EQ(fault(plain), "no error");

  inputs_.streams[0].edits[1].asked[1].target = "\u2603";
  EXPECT_THAT(fault(plain), StartsWith(place("row 11: generality: target: expected at least one "
                                             "token, found none in \"\u2603\"")));
  inputs_.streams[0].edits[0].asked[2].target = "\u2603";
  EXPECT_THAT(fault(plain), StartsWith(place("row 10: locality: target: expected")));
}

TEST_F(PromptsOfEdits, AChatThatTheTemplateTurnsAwayIsNamedByItsRow) {
  const ChatTemplate strict = ChatTemplate::select(
      "auto",
      "{% for m in messages %}{% if 'r1' in m.content %}{{ raise_exception('no r1') }}{% endif %}"
      "<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>"
      "{% endif %}");
  EXPECT_THAT(fault(strict),
              StartsWith(place("row 11: generality: chat_template: auto: line 1: ")));
  EXPECT_THAT(fault(strict), HasSubstr("turns away: no r1"));

  inputs_ = test::eval_inputs(1);
  EXPECT_EQ(fault(strict), "no error");
}

TEST_F(PromptsOfEdits, ABosThatTheTokenizerDoesNotHaveIsNamed) {
  const Json json = tokenizer_.to_tokenizer_json();
  tokenizer_ = Tokenizer::from_json(json, Json::object(), "without BOS");

  EXPECT_THAT(fault(ChatTemplate::select("gemma", "")),
              HasSubstr("chat_template: expected a tokenizer with a BOS token, found none"));
  EXPECT_EQ(fault(ChatTemplate::select("chatml_no_system", "")), "no error");
}

}  // namespace
}  // namespace xkde
