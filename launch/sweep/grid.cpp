#include "launch/sweep/grid.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "launch/command_line/recipe_arguments.h"

namespace xkde {
namespace {

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

/// Where the quoted text ends that begins at `begin`: behind its quote, or at the end of `text`.
size_t after_quotes(std::string_view text, size_t begin) {
  const char quote = text[begin];
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      return i + 1;
    }
  }
  return text.size();
}

/// Where the value ends that begins at `begin`: at a comma, or at the end of `text`.
size_t end_of_value(std::string_view text, size_t begin) {
  int depth = 0;
  bool is_first = true;  // of a value, which quotes may begin
  for (size_t i = begin; i < text.size();) {
    const char letter = text[i];
    if (is_first && (letter == '"' || letter == '\'')) {
      i = after_quotes(text, i);
      is_first = false;
      continue;
    }
    if (letter == ',' && depth == 0) return i;
    if (letter == '[' || letter == '{') ++depth;
    if (letter == ']' || letter == '}') depth = std::max(depth - 1, 0);
    if (letter != ' ')
      is_first = letter == '[' || letter == '{' || letter == ',' || (depth > 0 && letter == ':');
    ++i;
  }
  return text.size();
}

/// "2 x 3".
std::string product_of(const std::vector<size_t>& counts) {
  return fmt::format("{}", fmt::join(counts, " x "));
}

}  // namespace

std::vector<std::string> split_values(std::string_view text) {
  std::vector<std::string> values;
  for (size_t begin = 0;;) {
    const size_t end = end_of_value(text, begin);
    if (end == text.size() && values.empty()) return {std::string(text)};
    values.push_back(trimmed(text.substr(begin, end - begin)));
    if (end == text.size()) return values;
    begin = end + 1;
  }
}

Grid::Grid(const std::vector<std::string>& words) {
  std::vector<size_t> counts;
  for (const std::string& text : words) {
    Word word{text, {}};
    if (const size_t equals = text.find('='); equals != text.npos) {
      word = {text.substr(0, equals), split_values(std::string_view(text).substr(equals + 1))};
    }
    if (const size_t count = word.values.size(); count > 1) {
      XKDE_CHECK(std::find(word.values.begin(), word.values.end(), "") == word.values.end(),
                 UsageError, "sweep: ", word.key,
                 ": expected a value on each side of a comma, found none in ",
                 in_quotes(text.substr(word.key.size() + 1)));
      XKDE_CHECK(word.key != "run_name" && word.key != "output_dir", UsageError,
                 "sweep: ", word.key, ": expected one value, as each recipe gets its own, found ",
                 count);
      counts.push_back(count);
    }
    words_.push_back(std::move(word));
  }
  XKDE_CHECK(!counts.empty(), UsageError,
             "sweep: expected a key with several values (key.path=value,value), found none");
  for (const size_t count : counts) {
    // Each count has a letter on the command line: no product of two is too large for size_t.
    size_ = std::min(size_ * count, kMostPoints * kMostPoints);
  }
  if (size_ <= kMostPoints) return;
  const bool is_exact = size_ < kMostPoints * kMostPoints;
  throw UsageError(concat("sweep: expected at most ", kMostPoints, " recipes, found ",
                          is_exact ? "" : "more than ", is_exact ? size_ : size_ - 1, " (",
                          product_of(counts), ")"));
}

std::vector<size_t> Grid::positions(size_t point) const {
  std::vector<size_t> positions(words_.size());
  for (size_t i = words_.size(); i-- > 0;) {
    const size_t count = std::max<size_t>(words_[i].values.size(), 1);
    positions[i] = point % count;
    point /= count;
  }
  return positions;
}

std::vector<std::string> Grid::keys() const {
  std::vector<std::string> keys;
  for (const Word& word : words_) {
    if (word.values.size() > 1) keys.push_back(word.key);
  }
  return keys;
}

std::vector<std::string> Grid::values(size_t point) const {
  const std::vector<size_t> at = positions(point);
  std::vector<std::string> values;
  for (size_t i = 0; i < words_.size(); ++i) {
    if (words_[i].values.size() > 1) values.push_back(words_[i].values[at[i]]);
  }
  return values;
}

std::vector<std::string> Grid::overrides(size_t point) const {
  const std::vector<size_t> at = positions(point);
  std::vector<std::string> overrides;
  for (size_t i = 0; i < words_.size(); ++i) {
    const Word& word = words_[i];
    overrides.push_back(word.values.empty() ? word.key : word.key + "=" + word.values[at[i]]);
  }
  return overrides;
}

}  // namespace xkde
