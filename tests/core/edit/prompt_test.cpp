#include "core/edit/prompt.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/edit/native_instruction.h"

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

TEST(EditPrompt, IsInTheTestLanguageWhereAsked) {
  const auto prompt = [](const char* code, PromptLanguage language) {
    return edit_prompt({"f1", "f2"}, "q", language_of(code), language);
  };

  EXPECT_EQ(prompt("ja", PromptLanguage::kTest), edit_prompt({"f1", "f2"}, "q", "Japanese"));
  EXPECT_EQ(prompt("ja", PromptLanguage::kXk), edit_prompt({"f1", "f2"}, "q", "Chinese"));
  EXPECT_EQ(
      prompt("ja", PromptLanguage::kNative),
      "以下の更新された情報を踏まえ、続く質問に日本語で答えてください。\n\n[更新された情報]:\n"
      "1. f1\n2. f2\n\n[質問]:\nq");
}

TEST(EditPrompt, IsInEnglishWhereThereAreNoNativeWords) {
  int native = 0;
  for (const Language& language : languages()) {
    const std::string prompt = edit_prompt({"f"}, "q", language, PromptLanguage::kNative);
    const bool is_english = prompt == edit_prompt({"f"}, "q", language.english_name);
    EXPECT_EQ(is_english, native_instruction(language.iso) == nullptr) << language.iso;
    native += is_english ? 0 : 1;
  }
  EXPECT_EQ(native, 41);
}

TEST(EditPrompt, NoFactIsABug) { EXPECT_THROW(edit_prompt({}, "q", "Czech"), InternalError); }

TEST(EditPrompt, FactIsQuestionBlankAnswer) {
  EXPECT_EQ(fact_text("Which river?", "Tessel"), "Which river? Tessel");
  EXPECT_EQ(fact_text("Which river?", " Tessel"), "Which river?  Tessel");
}

TEST(EditPrompt, FrameTakesItsRequestAndItsHeading) {
  EXPECT_EQ(instruction_prompt("question", {"f"}, "Question", "q"),
            "Please acknowledge the updated information provided below and respond to the "
            "subsequent question.\n\n[Updated Information]:\nf\n\n[Question]:\nq");
}

}  // namespace
}  // namespace xkde
