#ifndef XKDE_CORE_EDIT_LEXICAL_INDEX_H_
#define XKDE_CORE_EDIT_LEXICAL_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace xkde {

/// Positions of at most `count` facts nearest to a query, nearest first.
using NearestFacts = std::function<std::vector<size_t>(std::string_view query, size_t count)>;
/// Makes a search among the given facts; the search keeps no reference to them. lexical_search() is
/// one maker, a sentence encoder can be another.
using SearchMaker = std::function<NearestFacts(const std::vector<std::string>& facts)>;

/// The terms by which texts are compared: words in lower case, and in scripts that are written
/// without blanks (Thai, Lao, Khmer, Burmese, Chinese, kana) pairs of neighbouring characters.
/// `text` is well-formed UTF-8.
std::vector<std::string> lexical_terms(std::string_view text);

/// Exact search by the cosine of TF-IDF vectors: weight tf * (1 + ln((1 + N) / (1 + df))) over N
/// texts. The same texts always give the same result; equal texts come in the order of positions.
class LexicalIndex {
 public:
  explicit LexicalIndex(const std::vector<std::string>& texts);
  /// Positions of at most `count` texts with a term in common with `query`, best first.
  std::vector<size_t> nearest(std::string_view query, size_t count) const;

 private:
  struct Posting {
    uint32_t text;
    double weight;  ///< of the term in the text, which has length 1 over all its terms
  };
  std::unordered_map<std::string, size_t> ids_;
  std::vector<double> idf_;
  std::vector<std::vector<Posting>> postings_;
  size_t size_ = 0;
};

/// LexicalIndex as a SearchMaker.
NearestFacts lexical_search(const std::vector<std::string>& facts);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_LEXICAL_INDEX_H_
