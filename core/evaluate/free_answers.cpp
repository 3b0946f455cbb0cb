#include "core/evaluate/free_answers.h"

#include <algorithm>
#include <iterator>

#include "core/metrics/answer_overlap.h"
#include "core/metrics/chrf.h"
#include "core/metrics/normalized_answer.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

double exact(const FreelyAnswered& answered) {
  return matches_any(answered.text, answered.right.first(1), answered.language) ? 1.0 : 0.0;
}

double alias(const FreelyAnswered& answered) {
  return matches_any(answered.text, answered.right, answered.language) ? 1.0 : 0.0;
}

double contains(const FreelyAnswered& answered) {
  return contains_any(answered.text, answered.right, answered.language) ? 1.0 : 0.0;
}

template <typename Score>
double best(const FreelyAnswered& answered, const Score& score) {
  double most = 0;
  for (const std::string& one : answered.right) most = std::max(most, score(one));
  return most;
}

double f1(const FreelyAnswered& answered) {
  return best(answered, [&](const std::string& one) {
    return word_f1(answered.text, one, answered.language);
  });
}

double chrf_share(const FreelyAnswered& answered) {
  const std::string text = unicode::replace_ill_formed(answered.text);
  return best(answered, [&](const std::string& one) {
    return chrf(text, unicode::replace_ill_formed(one)) / 100.0;
  });
}

double verdict(const FreelyAnswered& answered) {
  return verdict_of(answered.text, answered.language) == answered.verdict ? 1.0 : 0.0;
}

constexpr FreeScorer kFreeScorers[] = {{"exact", exact},       {"alias", alias},
                                       {"contains", contains}, {"f1", f1},
                                       {"chrf", chrf_share},   {"verdict", verdict, true}};

template <typename Names>
bool has(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::span<const FreeScorer> free_scorers() { return kFreeScorers; }

std::vector<std::string_view> free_scorer_names() {
  std::vector<std::string_view> names;
  for (const FreeScorer& scorer : kFreeScorers) {
    if (!scorer.is_of_verdicts) names.push_back(scorer.name);
  }
  return names;
}

FreeChoice::FreeChoice(const FreeAnswerOptions& options) {
  for (const auto& [name, context] : kFreeContextNames) {
    if (has(options.contexts, name)) contexts.push_back(context);
  }
  for (const FreeScorer& scorer : kFreeScorers) {
    if (scorer.is_of_verdicts || has(options.scorers, scorer.name)) scorers.push_back(&scorer);
  }
}

std::vector<FreeScore> FreeChoice::score(const FreelyAnswered& answered) const {
  std::vector<FreeScore> scores;
  const auto is_silence = [&](std::string_view text) {
    return normalized_answer(text, answered.language).empty();
  };
  const bool is_silent = is_silence(answered.text);
  const bool is_silent_as_before =
      is_silent && answered.is_of_model && is_silence(answered.right.front());
  for (const FreeScorer* scorer : scorers) {
    if (scorer->is_of_verdicts && !answered.verdict) continue;
    double value = is_silent_as_before ? 1.0 : scorer->score(answered);
    if (answered.is_negated) value = is_silent ? 0.0 : 1.0 - value;
    scores.push_back({scorer, value});
  }
  return scores;
}

}  // namespace xkde
