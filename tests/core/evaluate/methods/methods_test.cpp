#include "core/evaluate/methods/methods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

using testing::ElementsAre;

const PromptParts kParts{.facts = {{"Which river?", "Tessel"}},
                         .question = "And the sea?",
                         .language = &language_of("cs")};

PromptParts two_facts() {
  PromptParts parts = kParts;
  parts.facts.push_back({"q", "a"});
  return parts;
}

/// Those that show edits in prompts.
std::vector<const EditMethod*> shown_methods() {
  std::vector<const EditMethod*> methods;
  for (const EditMethod* method : edit_methods()) {
    if (!method->editor()) methods.push_back(method);
  }
  return methods;
}

TEST(EditMethods, StandInTheTableByTheirNames) {
  EXPECT_THAT(edit_method_names(),
              ElementsAre("xkde", "none", "lte", "ike", "remake", "ft_l", "ft_m", "locft_bf",
                          "lora", "rome", "memit", "memit_history", "emmet", "alphaedit",
                          "ultraedit", "grace", "wise"));
  for (const EditMethod* method : edit_methods()) EXPECT_EQ(&edit_method(method->name()), method);
  EXPECT_THROW((void)edit_method("roma"), InternalError);
}

TEST(EditMethods, HaveLabelsThatTellDemonstrationsApart) {
  std::vector<std::string> labels;
  for (const EditMethod* method : shown_methods())
    labels.push_back(concat(method->label(false), " ", method->label(true)));
  EXPECT_THAT(labels, ElementsAre("xkde xkde", "none none", "lte lte", "ice ike",
                                  "remake-zero remake-few"));
  for (const EditMethod* method : weight_methods()) EXPECT_EQ(method->label(false), method->name());
}

TEST(EditMethods, SayWhatTheyNeedAndWhatTheyDefaultTo) {
  std::vector<std::string> needs;
  for (const EditMethod* method : shown_methods()) {
    needs.push_back(concat(method->name(), method->needs_memory() ? " memory" : "",
                           method->shows_one_fact() ? " one" : "",
                           method->demonstrator() != nullptr ? " examples" : "", " ",
                           method->defaults().chat_template, " ",
                           name_of(kNqPrefixNames, method->defaults().nq_prefix)));
  }
  EXPECT_THAT(needs, ElementsAre("xkde memory model keep", "none model keep",
                                 "lte memory model keep", "ike memory one examples plain keep",
                                 "remake memory one examples plain cut"));
}

TEST(EditMethods, ShowTheBareQuestionWithoutFacts) {
  for (const EditMethod* method : edit_methods()) {
    PromptParts parts = kParts;
    parts.facts.clear();
    EXPECT_EQ(method->prompt(parts), method->bare_prompt("And the sea?")) << method->name();
    const std::string bare =
        method == &remake_method() ? "Question: And the sea? Answer:" : "And the sea?";
    EXPECT_EQ(method->bare_prompt("And the sea?"), bare) << method->name();
  }
}

TEST(WeightMethods, AreTheEditorsAndAskTheBareQuestion) {
  ASSERT_EQ(weight_methods().size(), std::size(kEditors));
  for (size_t i = 0; i < std::size(kEditors); ++i) {
    const EditMethod& method = *weight_methods()[i];
    EXPECT_EQ(method.name(), kEditors[i].name);
    EXPECT_EQ(method.editor(), kEditors[i].value);
    EXPECT_FALSE(method.needs_memory());
    EXPECT_FALSE(method.shows_one_fact());
    EXPECT_EQ(method.demonstrator(), nullptr);
    EXPECT_EQ(method.defaults().chat_template, "plain");
    EXPECT_EQ(method.defaults().nq_prefix, NqPrefix::kKeep);
    EXPECT_EQ(method.prompt(kParts), "And the sea?");
    EXPECT_EQ(method.prompt(two_facts()), "And the sea?");
  }
}

TEST(Xkde, NumbersSeveralFactsAndNamesTheLanguage) {
  EXPECT_EQ(
      xkde_method().prompt(kParts),
      "Please acknowledge the updated information provided below and respond to the "
      "subsequent query in Czech.\n\n[Updated Information]:\nWhich river? Tessel\n\n[Query]:\n"
      "And the sea?");
  EXPECT_EQ(
      xkde_method().prompt(two_facts()),
      "Please acknowledge the updated information provided below and respond to the "
      "subsequent query in Czech.\n\n[Updated Information]:\n1. Which river? Tessel\n2. q a\n\n"
      "[Query]:\nAnd the sea?");
}

TEST(None, ShowsNothingOfAFact) { EXPECT_EQ(none_method().prompt(kParts), "And the sea?"); }

TEST(Lte, WordsAStreamOtherwise) {
  EXPECT_EQ(lte_method().prompt(kParts),
            "Please acknowledge the updated information provided below and respond to the "
            "subsequent query.\n\n[Updated Information]:\nWhich river? Tessel\n\n[Query]:\n"
            "And the sea?");
  PromptParts parts = two_facts();
  parts.is_stream = true;
  EXPECT_EQ(lte_method().prompt(parts),
            "Please acknowledge the updated information provided below and respond to the "
            "subsequent question.\n\n[Updated Information]:\n1. Which river? Tessel\n2. q a\n\n"
            "[Question]:\nAnd the sea?");
}

TEST(Ike, ShowsDemonstrationsThenTheNewFact) {
  PromptParts parts = kParts;
  EXPECT_EQ(ike_method().prompt(parts), "New Fact: Which river? Tessel\nPrompt: And the sea?");
  parts.demonstrations = "New Fact: p a\nPrompt: r b\n\n";
  EXPECT_EQ(ike_method().prompt(parts),
            "New Fact: p a\nPrompt: r b\n\nNew Fact: Which river? Tessel\nPrompt: And the sea?");
  EXPECT_THROW((void)ike_method().prompt(two_facts()), InternalError);
}

Demonstration demonstration(bool is_bilingual) {
  Demonstration one;
  one.edit_side.src = "p?";
  one.edit_side.alt = "a";
  one.test_side.src = "¿p?";
  one.test_side.alt = "b";
  one.test_side.rephrases = {"¿r?"};
  one.test_side.probes = {{ProbeKind::kLocality, "nq question: far", {{"c"}}}};
  one.is_bilingual = is_bilingual;
  return one;
}

TEST(Ike, MakesThreeExamplesOfARecordWhichAreTheirOwnKeys) {
  Shelf shelf;
  ike_method().demonstrator()->add(demonstration(true), shelf);

  EXPECT_THAT(shelf.texts,
              ElementsAre("New Fact: p? a\nPrompt: ¿p? b\n\n", "New Fact: p? a\nPrompt: ¿r? b\n\n",
                          "New Fact: p? a\nPrompt: far c\n\n"));
  EXPECT_EQ(shelf.keys, shelf.texts);
  EXPECT_EQ(ike_method().demonstrator()->query({"p?", "a"}), "New Fact: p? a\nPrompt: p?\n\n");
}

TEST(Ike, MakesOneExampleOfARecordThatHasOneQuestion) {
  Demonstration one = demonstration(true);
  one.test_side.rephrases.clear();
  one.test_side.probes.clear();
  Shelf shelf;
  ike_method().demonstrator()->add(one, shelf);

  EXPECT_EQ(shelf.texts.size(), 1U);
}

TEST(Remake, AsksInItsFrameBehindDemonstrations) {
  PromptParts parts = kParts;
  parts.demonstrations = "Question: q? Answer: a\n\n";
  EXPECT_EQ(remake_method().prompt(parts),
            "Question: q? Answer: a\n\nQuestion: Which river? Answer: Tessel\n"
            "Question: And the sea? Answer:");
  EXPECT_THROW((void)remake_method().prompt(two_facts()), InternalError);
}

TEST(Remake, ShowsAnExampleInEachLanguageAndFindsItByItsQuestion) {
  Shelf shelf;
  remake_method().demonstrator()->add(demonstration(true), shelf);
  remake_method().demonstrator()->add(demonstration(false), shelf);

  EXPECT_THAT(shelf.texts, ElementsAre("Question: p? Answer: a\nQuestion: ¿p? Answer: b\n\n",
                                       "Question: p? Answer: a\n\n"));
  EXPECT_THAT(shelf.keys, ElementsAre("p?", "p?"));
  EXPECT_EQ(remake_method().demonstrator()->query({"p?", "a"}), "p?");
}

}  // namespace
}  // namespace xkde
