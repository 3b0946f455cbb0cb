#include "core/edit/lexical_index.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "core/text/regex/unicode.h"

namespace xkde {

namespace {

/// Whether words of the character's script are written without blanks between them.
bool is_unspaced(char32_t c) {
  return (c >= 0x0E00 && c <= 0x0EFF) ||  // Thai, Lao
         (c >= 0x1000 && c <= 0x109F) ||  // Burmese
         (c >= 0x1780 && c <= 0x17FF) ||  // Khmer
         (c >= 0x3040 && c <= 0x30FF) ||  // kana
         (c >= 0x3400 && c <= 0x9FFF) ||  // Chinese characters
         (c >= 0xF900 && c <= 0xFAFF) ||  // those for compatibility
         (c >= 0x20000 && c <= 0x3FFFF);  // rare ones
}

/// Splits a text while it passes by, character by character.
class TermSplitter {
 public:
  void add(char32_t c) {
    const bool unspaced = is_unspaced(c);
    if (!unicode::is_word(c) || unspaced != is_unspaced_) end_run();
    if (!unicode::is_word(c)) return;
    is_unspaced_ = unspaced;
    if (!unspaced) {
      unicode::append_lowercase(run_, c);
      return;
    }
    std::string character;
    unicode::append(character, c);
    if (!last_.empty()) terms_.push_back(last_ + character);
    is_alone_ = last_.empty();
    last_ = std::move(character);
  }

  std::vector<std::string> take() {
    end_run();
    return std::move(terms_);
  }

 private:
  void end_run() {
    if (!run_.empty()) terms_.push_back(std::move(run_));
    if (!last_.empty() && is_alone_) terms_.push_back(std::move(last_));
    run_.clear();
    last_.clear();
  }

  std::vector<std::string> terms_;
  std::string run_;   ///< of a script with blanks
  std::string last_;  ///< character of a script without
  bool is_unspaced_ = false;
  bool is_alone_ = false;
};

/// Counts in one order whatever the order of the text, so that sums are the same for equal sets.
std::map<std::string, double> counts_of(std::string_view text) {
  std::map<std::string, double> counts;
  for (std::string& term : lexical_terms(text)) counts[std::move(term)] += 1;
  return counts;
}

}  // namespace

std::vector<std::string> lexical_terms(std::string_view text) {
  TermSplitter splitter;
  for (size_t position = 0; position < text.size();) splitter.add(unicode::next(text, position));
  return splitter.take();
}

LexicalIndex::LexicalIndex(const std::vector<std::string>& texts) : size_(texts.size()) {
  for (size_t i = 0; i < texts.size(); ++i) {
    for (const auto& [term, count] : counts_of(texts[i])) {
      const size_t id = ids_.try_emplace(term, ids_.size()).first->second;
      if (id == postings_.size()) postings_.emplace_back();
      postings_[id].push_back({static_cast<uint32_t>(i), count});
    }
  }
  std::vector<double> squares(size_, 0.0);
  for (std::vector<Posting>& postings : postings_) {
    const auto n = static_cast<double>(size_);
    idf_.push_back(1 + std::log((1 + n) / (1 + static_cast<double>(postings.size()))));
    for (Posting& posting : postings) {
      posting.weight *= idf_.back();
      squares[posting.text] += posting.weight * posting.weight;
    }
  }
  for (std::vector<Posting>& postings : postings_) {
    for (Posting& posting : postings) posting.weight /= std::sqrt(squares[posting.text]);
  }
}

std::vector<size_t> LexicalIndex::nearest(std::string_view query, size_t count) const {
  // The query's own length scales all scores alike: it is left out.
  std::vector<double> scores(size_, 0.0);
  for (const auto& [term, tf] : counts_of(query)) {
    const auto id = ids_.find(term);
    if (id == ids_.end()) continue;
    const double weight = tf * idf_[id->second];
    for (const Posting& posting : postings_[id->second])
      scores[posting.text] += weight * posting.weight;
  }
  std::vector<size_t> found;
  for (size_t i = 0; i < size_; ++i) {
    if (scores[i] > 0) found.push_back(i);
  }
  const size_t kept = std::min(count, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept), found.end(),
                    [&scores](size_t a, size_t b) {
                      return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
                    });
  found.resize(kept);
  return found;
}

NearestFacts lexical_search(const std::vector<std::string>& facts) {
  const auto index = std::make_shared<const LexicalIndex>(facts);
  return [index](std::string_view query, size_t count) { return index->nearest(query, count); };
}

}  // namespace xkde
