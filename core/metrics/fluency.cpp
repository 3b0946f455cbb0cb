#include "core/metrics/fluency.h"

#include <cmath>
#include <cstddef>
#include <map>

#include "core/metrics/word_tokenize.h"
#include "core/text/regex/unicode.h"

namespace xkde {

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

double entropy(const std::vector<std::string>& words, size_t n) {
  std::map<std::vector<std::string>, int64_t> counts;
  int64_t total = 0;
  for (size_t i = 0; i + n <= words.size(); ++i, ++total) {
    const auto first = words.begin() + static_cast<std::ptrdiff_t>(i);
    ++counts[{first, first + static_cast<std::ptrdiff_t>(n)}];
  }
  double sum = 0;
  for (const auto& [gram, count] : counts) {
    const double share = static_cast<double>(count) / static_cast<double>(total);
    sum -= share * std::log2(share);
  }
  return sum;
}

}  // namespace

std::string fluency_text(std::string_view generated) {
  std::string text = unicode::nfkd(unicode::replace_ill_formed(generated));
  replace_all(text, "\n\n", " ");
  replace_all(text, "<|endoftext|>", "");
  return text;
}

double ngram_entropy(const std::vector<std::string>& words) {
  return (2.0 / 3.0 * entropy(words, 2) + 4.0 / 3.0 * entropy(words, 3)) / 2;
}

double ngram_entropy(std::string_view text) { return ngram_entropy(word_tokenize(text)); }

}  // namespace xkde
