#include "core/edit/preference_pairs.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string_view>
#include <unordered_map>

namespace xkde {
namespace {

constexpr size_t kDevEvery = 10;

/// Without every "<<...>>", the shortest each, none across a line break: what calculators of some
/// data sets leave in answers.
std::string without_marked_spans(std::string_view text) {
  std::string rest;
  for (size_t i = 0; i < text.size();) {
    if (text.substr(i, 2) == "<<") {
      const size_t end = text.find(">>", i + 2);
      const size_t line_end = text.find('\n', i + 2);
      if (end != std::string_view::npos && (line_end == std::string_view::npos || end < line_end)) {
        i = end + 2;
        continue;
      }
    }
    rest.push_back(text[i++]);
  }
  return rest;
}

/// Each text once, as it first came; best first, ties in that order.
std::vector<ScoredAnswer> ranked(std::span<const ScoredAnswer> answers, DroppedPairs& dropped) {
  std::vector<ScoredAnswer> distinct;
  std::set<std::string_view> seen;
  for (const ScoredAnswer& answer : answers) {
    if (seen.insert(answer.text).second) {
      distinct.push_back(answer);
    } else {
      ++dropped.repeated_answers;
    }
  }
  std::stable_sort(distinct.begin(), distinct.end(),
                   [](const ScoredAnswer& a, const ScoredAnswer& b) { return a.score > b.score; });
  return distinct;
}

}  // namespace

DroppedPairs& DroppedPairs::operator+=(const DroppedPairs& other) {
  repeated_answers += other.repeated_answers;
  equal_scores += other.equal_scores;
  equal_texts += other.equal_texts;
  return *this;
}

std::vector<PreferencePair> make_pairs(const std::string& gold,
                                       std::span<const ScoredAnswer> answers,
                                       DroppedPairs& dropped) {
  const std::vector<ScoredAnswer> best_first = ranked(answers, dropped);
  std::vector<PreferencePair> pairs;
  for (size_t i = 0; i < best_first.size(); ++i) {
    const ScoredAnswer& better = best_first[i];
    for (size_t j = i + 1; j < best_first.size(); ++j) {
      const ScoredAnswer& worse = best_first[j];
      if (better.score == worse.score) {
        ++dropped.equal_scores;
      } else if (without_marked_spans(better.text) == without_marked_spans(worse.text)) {
        ++dropped.equal_texts;
      } else {
        pairs.push_back({better.text, worse.text, better.score, worse.score});
      }
    }
  }
  if (best_first.empty()) return pairs;
  const ScoredAnswer& best = best_first.front();
  if (best.text == gold) {
    ++dropped.equal_texts;
  } else {
    pairs.push_back({gold, best.text, std::nullopt, best.score});
  }
  return pairs;
}

std::vector<bool> choose_dev(std::span<const std::string> prompts) {
  std::unordered_map<std::string_view, size_t> groups;
  std::vector<bool> is_dev;
  for (const std::string& prompt : prompts) {
    const size_t group = groups.try_emplace(prompt, groups.size()).first->second;
    is_dev.push_back(group % kDevEvery == 0);
  }
  return is_dev;
}

}  // namespace xkde
