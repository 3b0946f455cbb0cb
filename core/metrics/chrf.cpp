#include "core/metrics/chrf.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

constexpr size_t kLongest = 6;
constexpr double kBetaSquared = 4.0;

using Counts = std::map<std::u32string_view, int64_t>;

/// Python's str.split() takes some control characters for white space, too.
bool is_left_out(char32_t character) {
  return unicode::is_whitespace(character) || (character >= 0x1c && character <= 0x1f);
}

std::u32string without_whitespace(std::string_view text) {
  std::u32string characters;
  for (size_t i = 0; i < text.size();) {
    const char32_t character = unicode::next(text, i);
    if (!is_left_out(character)) characters.push_back(character);
  }
  return characters;
}

Counts count_ngrams(std::u32string_view text, size_t length) {
  Counts counts;
  for (size_t i = 0; i + length <= text.size(); ++i) ++counts[text.substr(i, length)];
  return counts;
}

int64_t num_matches(const Counts& hypothesis, const Counts& reference) {
  int64_t matches = 0;
  for (const auto& [ngram, count] : hypothesis) {
    const auto found = reference.find(ngram);
    if (found != reference.end()) matches += std::min(count, found->second);
  }
  return matches;
}

}  // namespace

double chrf(std::string_view hypothesis, std::string_view reference) {
  const std::u32string ours = without_whitespace(hypothesis);
  const std::u32string theirs = without_whitespace(reference);
  double precision = 0.0;
  double recall = 0.0;
  int64_t orders = 0;
  for (size_t length = 1; length <= std::min({kLongest, ours.size(), theirs.size()}); ++length) {
    const auto matches =
        static_cast<double>(num_matches(count_ngrams(ours, length), count_ngrams(theirs, length)));
    precision += matches / static_cast<double>(ours.size() - length + 1);
    recall += matches / static_cast<double>(theirs.size() - length + 1);
    ++orders;
  }
  if (orders == 0 || precision + recall == 0.0) return 0.0;
  precision /= static_cast<double>(orders);
  recall /= static_cast<double>(orders);
  return 100.0 * (1.0 + kBetaSquared) * precision * recall / (kBetaSquared * precision + recall);
}

}  // namespace xkde
