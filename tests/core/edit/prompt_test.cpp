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

TEST(EditPrompt, FrameTakesItsRequestAndItsHeading) {
  EXPECT_EQ(instruction_prompt("question", {"f"}, "Question", "q"),
            "Please acknowledge the updated information provided below and respond to the "
            "subsequent question.\n\n[Updated Information]:\nf\n\n[Question]:\nq");
}

}  // namespace
}  // namespace xkde
