#include "core/text/did_you_mean.h"

#include <algorithm>

namespace xkde {
namespace {

/// Longer words are no typing mistakes of ours, and the distance takes quadratic time.
constexpr size_t kLongestWord = 64;
constexpr size_t kShortestBeginning = 4;

std::string simplified(std::string_view word) {
  std::string letters;
  for (const char letter : word) {
    if (letter == '-' || letter == '_') continue;
    letters += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return letters;
}

std::string only_name_that_begins(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() < kShortestBeginning) return "";
  std::string found;
  for (const std::string& name : known) {
    if (!name.starts_with(word)) continue;
    if (!found.empty()) return "";
    found = name;
  }
  return found;
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string closest(std::string_view word, const std::vector<std::string>& known) {
  if (word.empty() || word.size() > kLongestWord) return "";
  const std::string simple = simplified(word);
  size_t smallest = kLongestWord;
  std::string best;
  for (const std::string& name : known) {
    const std::string simple_name = simplified(name);
    const size_t distance = edit_distance(simple, simple_name);
    const size_t longer = std::max(simple.size(), simple_name.size());
    const size_t most = std::max<size_t>(1, longer / 3);
    if (distance <= most && distance < longer && distance < smallest) {
      smallest = distance;
      best = name;
    }
  }
  return best.empty() ? only_name_that_begins(word, known) : best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string name = closest(word, known);
  return name.empty() ? "" : "; did you mean '" + name + "'?";
}

}  // namespace xkde
