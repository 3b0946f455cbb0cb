#include "core/edit/test_questions.h"

#include "core/edit/edit_questions.h"
#include "core/text/regex/unicode.h"

namespace xkde {

namespace {

constexpr std::string_view kNqPrefix = "nq question: ";
constexpr std::string_view kBlanks = " \t\r\n";

std::string key_of(std::string_view question) {
  const auto trim = [](std::string_view text) {
    const size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return std::string_view();
    return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
  };
  return unicode::nfc(trim(without_nq_prefix(trim(question))));
}

}  // namespace

std::string_view without_nq_prefix(std::string_view question) {
  return question.starts_with(kNqPrefix) ? question.substr(kNqPrefix.size()) : question;
}

void TestQuestions::add(std::string_view question) { questions_.insert(key_of(question)); }

void TestQuestions::add(const EditRecord& record) {
  for (const auto& [language, side] : record.sides) {
    for (const EditQuestion& question : edit_questions(side)) add(question.question);
  }
}

bool TestQuestions::contains(std::string_view question) const {
  return questions_.contains(key_of(question));
}

}  // namespace xkde
