#include "core/memory/question_index.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

/// The characters of `text` in lower case, each by itself, words parted and framed by one blank.
std::vector<std::string> framed_letters(std::string_view text) {
  std::vector<std::string> letters{" "};
  for (size_t position = 0; position < text.size();) {
    const char32_t c = unicode::next(text, position);
    if (unicode::is_word(c)) {
      unicode::append_lowercase(letters.emplace_back(), c);
    } else if (letters.back() != " ") {
      letters.emplace_back(" ");
    }
  }
  if (letters.back() != " ") letters.emplace_back(" ");
  return letters;
}

double squared_length(const std::map<std::string, double>& parts) {
  double sum = 0;
  for (const auto& [part, count] : parts) sum += count * count;
  return sum;
}

double cosine_of(const std::map<std::string, double>& a, const std::map<std::string, double>& b) {
  double dot = 0;
  for (const auto& [part, count] : a) {
    if (const auto other = b.find(part); other != b.end()) dot += count * other->second;
  }
  const double lengths = std::sqrt(squared_length(a) * squared_length(b));
  return lengths > 0 ? dot / lengths : 0;
}

}  // namespace

QuestionIndex::Parts QuestionIndex::parts_of(std::string_view text) {
  const std::vector<std::string> letters = framed_letters(text);
  Parts parts;
  for (size_t i = 0; i + 1 < letters.size(); ++i) {
    std::string part = letters[i] + letters[i + 1];
    if (i + 2 < letters.size()) parts[part + letters[i + 2]] += 1;
    parts[std::move(part)] += 1;
  }
  return parts;
}

bool QuestionIndex::names(const Parts& question, const Parts& subject) {
  double found = 0, all = 0;
  for (const auto& [part, count] : subject) {
    all += count;
    if (const auto there = question.find(part); there != question.end())
      found += std::min(count, there->second);
  }
  return found >= kSubjectShare * all;
}

void QuestionIndex::add(int64_t fact, std::string_view question, std::string_view subject) {
  entries_.push_back({fact, parts_of(question), parts_of(subject)});
}

std::vector<QuestionIndex::Found> QuestionIndex::find(std::string_view question,
                                                      size_t count) const {
  const Parts asked = parts_of(question);
  std::map<int64_t, double> nearest;
  for (const Entry& entry : entries_) {
    const double cosine = cosine_of(asked, entry.question);
    const bool fits = entry.subject.empty() ? cosine >= kLeastCosine : names(asked, entry.subject);
    if (!fits) continue;
    double& best = nearest.try_emplace(entry.fact, cosine).first->second;
    best = std::max(best, cosine);
  }
  std::vector<Found> found;
  for (const auto& [fact, cosine] : nearest) found.push_back({fact, cosine});
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& a, const Found& b) { return a.cosine > b.cosine; });
  found.resize(std::min(found.size(), count));
  return found;
}

}  // namespace xkde
