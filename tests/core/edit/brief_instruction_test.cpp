#include "core/edit/brief_instruction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/language.h"

namespace xkde {
namespace {

TEST(BriefInstruction, ExistsInEveryLanguageOfMzsre) {
  for (const char* iso : {"en", "cs", "de", "nl", "es", "fr", "pt", "ru", "th", "tr", "vi", "zh"})
    EXPECT_NE(brief_instruction(iso), nullptr) << iso;
}

TEST(BriefInstruction, IsOneSentenceOfAKnownLanguageAndNoOtherHasIt) {
  for (const std::string& iso : briefly_asked_languages()) {
    EXPECT_NE(find_language(iso), nullptr) << iso;
    const BriefInstruction& words = *brief_instruction(iso);
    EXPECT_FALSE(words.answer.empty()) << iso;
    EXPECT_EQ(words.sentence.find('\n'), std::string_view::npos) << iso;
    int with_it = 0;
    for (const std::string& other : briefly_asked_languages())
      with_it += brief_instruction(other)->sentence == words.sentence ? 1 : 0;
    EXPECT_EQ(with_it, 1) << iso;
  }
}

TEST(BriefInstruction, StandsBeforeTheTextAndTheAnswersWordBehindIt) {
  EXPECT_EQ(ask_briefly("Wo liegt Rom?", "de"),
            "Beantworte die folgende Frage so kurz wie möglich, nur mit der Antwort selbst.\n\n"
            "Wo liegt Rom?\nAntwort:");
}

TEST(BriefInstruction, NamesTheLanguagesThatHaveOne) {
  try {
    ask_briefly("Ubi est Roma?", "la");
    FAIL() << "expected a ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("expected en, cs, de"));
    EXPECT_THAT(error.what(), testing::HasSubstr("found la"));
  }
}

}  // namespace
}  // namespace xkde
