#include "core/edit/prompt.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

TEST(EditPrompt, OneFactStandsAlone) {
  EXPECT_EQ(edit_prompt({"Which river? Tessel"}, "¿Qué río?", "Spanish"),
            "Please acknowledge the updated information provided below and respond to the "
            "subsequent query in Spanish."
            "\n\n[Updated Information]:\nWhich river? Tessel\n\n[Query]:\n¿Qué río?");
}

TEST(EditPrompt, SeveralFactsAreNumbered) {
  EXPECT_EQ(edit_prompt({"f1", "f2", "f3"}, "q", "Czech"),
            "Please acknowledge the updated information provided below and respond to the "
            "subsequent query in Czech."
            "\n\n[Updated Information]:\n1. f1\n2. f2\n3. f3\n\n[Query]:\nq");
}

TEST(EditPrompt, NoFactIsABug) { EXPECT_THROW(edit_prompt({}, "q", "Czech"), InternalError); }

TEST(EditPrompt, FactIsQuestionBlankAnswer) {
  EXPECT_EQ(fact_text("Which river?", "Tessel"), "Which river? Tessel");
  EXPECT_EQ(fact_text("Which river?", " Tessel"), "Which river?  Tessel");
}

const Asked kAsked{
    .facts = {{"Which river?", "Tessel"}}, .question = "And the sea?", .language_name = "Czech"};

TEST(MethodPrompt, XkdeIsTheEditPrompt) {
  EXPECT_EQ(method_prompt(PromptMethod::kXkde, kAsked),
            edit_prompt({"Which river? Tessel"}, "And the sea?", "Czech"));
}

TEST(MethodPrompt, LteWordsAStreamOtherwise) {
  Asked asked = kAsked;
  EXPECT_EQ(method_prompt(PromptMethod::kLte, asked),
            "Please acknowledge the updated information provided below and respond to the "
            "subsequent query.\n\n[Updated Information]:\nWhich river? Tessel\n\n[Query]:\n"
            "And the sea?");
  asked.is_stream = true;
  asked.facts.push_back({"q", "a"});
  EXPECT_EQ(method_prompt(PromptMethod::kLte, asked),
            "Please acknowledge the updated information provided below and respond to the "
            "subsequent question.\n\n[Updated Information]:\n1. Which river? Tessel\n2. q a\n\n"
            "[Question]:\nAnd the sea?");
}

TEST(MethodPrompt, IkeShowsDemonstrationsThenTheNewFact) {
  Asked asked = kAsked;
  const std::string shown = ike_demonstration({"p", "a"}, {"r", "b"});
  EXPECT_EQ(shown, "New Fact: p a\nPrompt: r b\n\n");
  EXPECT_EQ(ike_query({"p", "a"}), "New Fact: p a\nPrompt: p\n\n");
  asked.demonstrations = shown;
  EXPECT_EQ(method_prompt(PromptMethod::kIke, asked),
            "New Fact: p a\nPrompt: r b\n\nNew Fact: Which river? Tessel\nPrompt: And the sea?");
}

TEST(MethodPrompt, RemakeAsksInItsFrameWithAndWithoutAFact) {
  Asked asked = kAsked;
  const Probe spanish{"¿q?", "s"};
  const std::string block = remake_block({"q?", "a"}, &spanish);
  EXPECT_EQ(block, "Question: q? Answer: a\nQuestion: ¿q? Answer: s\n\n");
  EXPECT_EQ(remake_block({"q?", "a"}, nullptr), "Question: q? Answer: a\n\n");
  asked.demonstrations = block;
  EXPECT_EQ(method_prompt(PromptMethod::kRemake, asked),
            block + "Question: Which river? Answer: Tessel\nQuestion: And the sea? Answer:");
  asked.facts.clear();
  EXPECT_EQ(method_prompt(PromptMethod::kRemake, asked), "Question: And the sea? Answer:");
}

TEST(MethodPrompt, NothingShownIsTheBareQuestion) {
  Asked asked = kAsked;
  EXPECT_EQ(method_prompt(PromptMethod::kNone, asked), "And the sea?");
  asked.facts.clear();
  EXPECT_EQ(method_prompt(PromptMethod::kXkde, asked), "And the sea?");
}

TEST(MethodPrompt, InContextMethodsTakeOneFact) {
  Asked asked = kAsked;
  asked.facts.push_back({"q", "a"});
  EXPECT_THROW(method_prompt(PromptMethod::kIke, asked), InternalError);
}

}  // namespace
}  // namespace xkde
