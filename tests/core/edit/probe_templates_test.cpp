#include "core/edit/probe_templates.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include "core/data/language.h"
#include "core/metrics/normalized_answer.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

constexpr const char* kLanguages[] = {"en", "cs", "de", "nl", "es", "fr",
                                      "pt", "ru", "th", "tr", "vi", "zh"};

/// The templates of one language, by name.
using FormList = std::vector<std::pair<std::string, std::string_view>>;

FormList questions_of(const ProbeTemplates& one) {
  return {{"fact_check", one.fact_check}, {"negation", one.negation}, {"reverse", one.reverse}};
}

FormList all_of(const ProbeTemplates& one) {
  FormList all = questions_of(one);
  all.insert(all.end(), {{"completion", one.completion},
                         {"yes", one.yes},
                         {"no", one.no},
                         {"neither", one.neither},
                         {"passage", one.passage},
                         {"persona", one.persona}});
  return all;
}

int count_of(std::string_view text, std::string_view part) {
  int count = 0;
  for (size_t i = text.find(part); i != std::string_view::npos; i = text.find(part, i + 1)) ++count;
  return count;
}

std::string replaced(std::string text, std::string_view part, std::string_view by) {
  for (size_t i = text.find(part); i != std::string::npos; i = text.find(part, i + by.size()))
    text.replace(i, part.size(), by);
  return text;
}

std::vector<char32_t> characters(std::string_view text) {
  std::vector<char32_t> all;
  for (size_t i = 0; i < text.size();) all.push_back(unicode::next(text, i));
  return all;
}

UScriptCode script_of(std::string_view iso) {
  if (iso == "ru") return USCRIPT_CYRILLIC;
  if (iso == "th") return USCRIPT_THAI;
  if (iso == "zh") return USCRIPT_HAN;
  return USCRIPT_LATIN;
}

class ProbeTemplatesOf : public testing::TestWithParam<const char*> {
 protected:
  const ProbeTemplates& forms() const { return *probe_templates(GetParam()); }
};

TEST_P(ProbeTemplatesOf, HaveEachPlaceholderOnce) {
  for (const auto& [name, text] : questions_of(forms())) {
    EXPECT_EQ(count_of(text, "{question}"), 1) << name;
    EXPECT_EQ(count_of(text, "{answer}"), name == "negation" ? 0 : 1) << name;
    EXPECT_EQ(count_of(text, "{"), name == "negation" ? 1 : 2) << name;
  }
  EXPECT_EQ(count_of(forms().completion, "{question}"), 1);
  EXPECT_EQ(count_of(forms().completion, "{"), 1);
  EXPECT_TRUE(forms().completion.starts_with("{question}"));
  EXPECT_EQ(count_of(forms().reverse, kGap), 1);
  for (const auto text : {forms().passage, forms().persona, forms().yes, forms().no})
    EXPECT_EQ(count_of(text, "{"), 0);
}

TEST_P(ProbeTemplatesOf, EndAsTheLanguageEndsQuestions) {
  const std::string iso = GetParam();
  const std::string mark = iso == "zh" ? "？" : "?";
  for (const auto& [name, text] : questions_of(forms())) {
    EXPECT_TRUE(text.ends_with(mark)) << name;
    EXPECT_EQ(count_of(text, mark), 1) << name;
    // French has a blank before a question mark, other languages have none.
    EXPECT_EQ(text.ends_with(" " + mark), iso == "fr") << name;
    EXPECT_EQ(count_of(text, "¿"), iso == "es" ? 1 : 0) << name;
  }
  for (const std::string_view text : {forms().passage, forms().persona}) {
    if (iso == "th") continue;  // Thai ends sentences with nothing.
    EXPECT_TRUE(text.ends_with(iso == "zh" ? "。" : "."));
  }
  for (const char* end : {"?", ".", " ", "？", "。"})
    EXPECT_FALSE(forms().completion.ends_with(end)) << end;
}

TEST_P(ProbeTemplatesOf, AreComposedAndHaveNoDoubledMarks) {
  for (const auto& [name, text] : all_of(forms())) {
    ASSERT_EQ(unicode::first_invalid_byte(text), std::string_view::npos) << name;
    EXPECT_EQ(unicode::nfc(text), text) << name;
    EXPECT_EQ(unicode::strip(text), text) << name;
    const std::string plain = replaced(std::string(text), kGap, "x");
    const std::vector<char32_t> all = characters(plain);
    for (size_t i = 1; i < all.size(); ++i) {
      const bool is_mark = unicode::is_punctuation(all[i]) || unicode::is_whitespace(all[i]);
      // Quotes of "{question}" "{answer}" meet at a blank only; brackets of placeholders apart.
      EXPECT_FALSE(is_mark && all[i] == all[i - 1]) << name << " at character " << i;
    }
    for (const char* pair : {" ,", " .", ",.", ".,", " ;", "..", "||"})
      EXPECT_EQ(count_of(plain, pair), 0) << name << ": " << pair;
  }
}

TEST_P(ProbeTemplatesOf, OpenAndCloseTheirQuotes) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kQuotes{
      {{"„", "“"}, {"«", "»"}, {"“", "”"}}};
  for (const auto& [name, text] : questions_of(forms())) {
    EXPECT_EQ(count_of(text, "\"") % 2, 0) << name;
    for (const auto& [open, close] : kQuotes) {
      // "“" opens in Chinese and closes in German and Czech.
      const bool closes = open == "“" && count_of(text, "„") > 0;
      if (closes || (open == "„" && count_of(text, open) == 0)) continue;
      EXPECT_EQ(count_of(text, open), count_of(text, close)) << name;
    }
    const size_t question = text.find("{question}");
    ASSERT_GT(question, 0U) << name;
    EXPECT_NE(text[question - 1], '}') << name;
  }
}

TEST_P(ProbeTemplatesOf, AreInTheScriptOfTheLanguage) {
  for (const auto& [name, text] : all_of(forms())) {
    std::string plain(text);
    for (const char* part : {"{question}", "{answer}"}) plain = replaced(plain, part, "");
    int letters = 0;
    for (const char32_t character : characters(plain)) {
      UErrorCode error = U_ZERO_ERROR;
      const UScriptCode script = uscript_getScript(static_cast<UChar32>(character), &error);
      if (script == USCRIPT_COMMON || script == USCRIPT_INHERITED) continue;
      EXPECT_EQ(script, script_of(GetParam())) << name << ": " << static_cast<uint32_t>(character);
      ++letters;
    }
    EXPECT_GT(letters, 0) << name;
  }
}

TEST_P(ProbeTemplatesOf, AreNoOtherLanguages) {
  for (const char* other : kLanguages) {
    if (std::string_view(other) == GetParam()) continue;
    const ProbeTemplates& theirs = *probe_templates(other);
    EXPECT_NE(theirs.fact_check, forms().fact_check) << other;
    EXPECT_NE(theirs.negation, forms().negation) << other;
    EXPECT_NE(theirs.reverse, forms().reverse) << other;
    EXPECT_NE(theirs.completion, forms().completion) << other;
    EXPECT_NE(theirs.passage, forms().passage) << other;
    EXPECT_NE(theirs.persona, forms().persona) << other;
  }
}

TEST_P(ProbeTemplatesOf, KeepYesAndNoApart) {
  std::set<std::string> all;
  const auto say = [&](std::string_view words, Verdict verdict) {
    for (const std::string& word : word_list(words)) {
      EXPECT_EQ(verdict_of(word, GetParam()), verdict) << word;
      EXPECT_EQ(verdict_of(word + ", 2006.", GetParam()), verdict) << word;
      EXPECT_EQ(unicode::nfc(word), word);
      EXPECT_EQ(unicode::strip(word), word);
      all.insert(word);
    }
  };
  say(forms().yes, Verdict::kYes);
  say(forms().no, Verdict::kNo);
  say(forms().neither, Verdict::kNeither);
  EXPECT_EQ(all.size(), word_list(forms().yes).size() + word_list(forms().no).size() +
                            word_list(forms().neither).size());
  EXPECT_EQ(verdict_of("2006", GetParam()), Verdict::kNeither);
  EXPECT_EQ(verdict_of("", GetParam()), Verdict::kNeither);
}

INSTANTIATE_TEST_SUITE_P(EveryLanguage, ProbeTemplatesOf, testing::ValuesIn(kLanguages),
                         [](const auto& one) { return std::string(one.param); });

TEST(ProbeTemplates, AreThoseOfMzsresLanguages) {
  EXPECT_THAT(probed_languages(), testing::UnorderedElementsAreArray(kLanguages));
  EXPECT_EQ(probe_templates("la"), nullptr);
  for (const std::string& iso : probed_languages()) EXPECT_NE(find_language(iso), nullptr) << iso;
}

TEST(Filled, PutsTextsInAndDoesNotLookAtThem) {
  EXPECT_EQ(filled("Is {answer} of {question}?", "a {answer} b", "{question}"),
            "Is {question} of a {answer} b?");
  EXPECT_EQ(filled("{x} {question", "q", "a"), "{x} {question");
}

TEST(VerdictOf, TakesTheFirstWordsAndTheLongest) {
  EXPECT_EQ(verdict_of("Yes, it is.", "en"), Verdict::kYes);
  EXPECT_EQ(verdict_of("**No**. The answer is 2006.", "en"), Verdict::kNo);
  EXPECT_EQ(verdict_of("Not true at all", "en"), Verdict::kNo);
  EXPECT_EQ(verdict_of("Nobody knows", "en"), Verdict::kNeither);
  EXPECT_EQ(verdict_of("The answer is yes", "en"), Verdict::kNeither);
  EXPECT_EQ(verdict_of("Das stimmt nicht.", "de"), Verdict::kNo);
  EXPECT_EQ(verdict_of("Das stimmt.", "de"), Verdict::kYes);
  EXPECT_EQ(verdict_of("No lo sé.", "es"), Verdict::kNeither);
  EXPECT_EQ(verdict_of("Doğru değil.", "tr"), Verdict::kNo);
  EXPECT_EQ(verdict_of("不对。", "zh"), Verdict::kNo);
  EXPECT_EQ(verdict_of("是的，对。", "zh"), Verdict::kYes);
  EXPECT_EQ(verdict_of("对于这个问题", "zh"), Verdict::kNeither);
  EXPECT_EQ(verdict_of("ไม่ใช่ครับ", "th"), Verdict::kNo);
  EXPECT_EQ(verdict_of("ใช่ครับ", "th"), Verdict::kYes);
  EXPECT_EQ(verdict_of("Ita", "la"), Verdict::kNeither);
}

}  // namespace
}  // namespace xkde
