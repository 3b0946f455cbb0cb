#include "stages/report/survival.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "stages/report/asked_questions.h"
#include "stages/report/csv.h"

namespace xkde::report {
namespace {

constexpr std::string_view kTokens = "tokens";
/// The scorers of free answers that say right or wrong.
constexpr std::string_view kVerdicts[] = {"exact", "alias", "contains", "verdict", "judge"};

/// Whether two evaluations show and ask the same, with other weights between them. What a model
/// knew before it was trained to take edits is nothing that training should keep.
bool can_compare(const Evaluation& from, const Evaluation& to) {
  if (from.rows.empty() || to.rows.empty() || from.label == to.label) return false;
  const EvalScope& one = from.rows.front().scope;
  const EvalScope& other = to.rows.front().scope;
  if (one.phase == "before" && !to.is_rounded) return false;
  return one.asks_edits() && one.benchmark == other.benchmark && one.mode == other.mode &&
         one.method == other.method && one.eval_when == other.eval_when;
}

/// Null where there is none.
const Evaluation* reference_of(const RunResults& run, size_t index) {
  const Evaluation* nearest = nullptr;
  for (size_t i = index; i-- > 0;) {
    const Evaluation& above = run.evaluations[i];
    if (!can_compare(above, run.evaluations[index])) continue;
    if (!above.is_rounded) return &above;
    if (nearest == nullptr) nearest = &above;
  }
  return nearest;
}

/// Right or wrong, by measure.
std::vector<std::pair<std::string, bool>> verdicts_of(const Json& line) {
  std::vector<std::pair<std::string, bool>> all{
      {std::string(kTokens), line.at("score").get<double>() >= 1.0}};
  const auto free = line.find("free");
  if (free == line.end()) return all;
  for (const auto& [context, told] : free->items()) {
    for (const std::string_view scorer : kVerdicts) {
      const auto value = told.find(scorer);
      if (value != told.end() && value->is_number())
        all.emplace_back(context + " " + std::string(scorer), value->get<double>() >= 1.0);
    }
  }
  return all;
}

/// "portability" of "portability.Reasoning"; nothing for locality.
std::optional<std::string> counted_metric(const Json& line) {
  const auto name = line.at("metric").get<std::string>();
  std::string metric = name.substr(0, name.find('.'));
  if (metric == "locality") return std::nullopt;
  return metric;
}

Survival::Line& line_of(Survival& survival, const LanguagePair& pair, const std::string& metric) {
  const auto found = std::find_if(
      survival.lines.begin(), survival.lines.end(),
      [&](const Survival::Line& line) { return line.pair == pair && line.metric == metric; });
  if (found != survival.lines.end()) return *found;
  return survival.lines.emplace_back(Survival::Line{pair, metric, {}});
}

void count(const Json& from, const Json& to, const std::string& metric, Survival& survival) {
  const LanguagePair pair{to.at("edit_language").get<std::string>(),
                          to.at("test_language").get<std::string>()};
  Survival::Line& line = line_of(survival, pair, metric);
  const auto later = verdicts_of(to);
  for (const auto& [measure, was_right] : verdicts_of(from)) {
    const auto found = std::find_if(later.begin(), later.end(), [&name = measure](const auto& one) {
      return one.first == name;
    });
    if (found == later.end()) continue;
    if (std::find(survival.measures.begin(), survival.measures.end(), measure) ==
        survival.measures.end())
      survival.measures.push_back(measure);
    Kept& kept = line.kept[measure];
    kept.right += was_right ? 1 : 0;
    kept.still += was_right && found->second ? 1 : 0;
  }
}

const Json* told_by(const std::vector<Told>& question, const Evaluation& evaluation) {
  for (const Told& told : question) {
    if (told.evaluation == &evaluation) return &told.line;
  }
  return nullptr;
}

/// Those that forgive nothing. A terminal has no room for all.
std::vector<std::string> strict_measures(const Survival& survival) {
  std::vector<std::string> strict;
  for (const std::string& measure : survival.measures) {
    if (!measure.ends_with("alias") && !measure.ends_with("contains")) strict.push_back(measure);
  }
  return strict;
}

/// One for each mode_text(), as sizes differ.
std::vector<Survival> survivals_between(const Evaluation& from, const Evaluation& to,
                                        const std::vector<std::vector<Told>>& questions) {
  const EvalScope& scope = to.rows.front().scope;
  std::vector<Survival> all;
  for (const std::vector<Told>& question : questions) {
    const Json* const before = told_by(question, from);
    const Json* const after = told_by(question, to);
    if (before == nullptr || after == nullptr) continue;
    const std::optional<std::string> metric = counted_metric(*after);
    if (!metric) continue;
    const std::string mode = mode_text(*after);
    auto place = std::find_if(all.begin(), all.end(),
                              [&mode](const Survival& one) { return one.mode == mode; });
    if (place == all.end()) {
      place = all.insert(all.end(), {.from = {from.stage, from.label},
                                     .to = {to.stage, to.label},
                                     .benchmark = scope.benchmark,
                                     .method = scope.method,
                                     .mode = mode,
                                     .measures = {},
                                     .lines = {}});
    }
    count(*before, *after, *metric, *place);
  }
  return all;
}

}  // namespace

std::string Survival::title() const {
  return benchmark + ", " + mode + ", " + from.label + " → " + to.label;
}

std::vector<Survival> survivals(const RunResults& run) {
  std::vector<std::pair<const Evaluation*, const Evaluation*>> compared;
  for (size_t i = 0; i < run.evaluations.size(); ++i) {
    if (const Evaluation* from = reference_of(run, i))
      compared.emplace_back(from, &run.evaluations[i]);
  }
  std::vector<Survival> all;
  if (compared.empty()) return all;
  const std::vector<std::vector<Told>> questions = asked_questions(run);
  for (const auto& [from, to] : compared) {
    std::vector<Survival> of_modes = survivals_between(*from, *to, questions);
    std::move(of_modes.begin(), of_modes.end(), std::back_inserter(all));
  }
  return all;
}

std::string kept_text(const Kept& kept) {
  return kept.right == 0 ? "0 right" : fmt::format("{:.2f} % of {}", kept.percent(), kept.right);
}

std::string survival_table(std::span<const Survival> all, size_t most) {
  std::string text;
  for (const Survival& survival : all) {
    TextGrid grid{{"still right"}};
    const std::vector<std::string> measures = strict_measures(survival);
    grid.front().insert(grid.front().end(), measures.begin(), measures.end());
    for (const Survival::Line& line : survival.lines) {
      std::vector<std::string>& cells =
          grid.emplace_back(1, pair_text(line.pair) + ", " + line.metric);
      for (const std::string& measure : measures) {
        const auto kept = line.kept.find(measure);
        cells.push_back(kept == line.kept.end() ? "-" : kept_text(kept->second));
      }
    }
    if (!text.empty()) text += '\n';
    text += folded(survival.title(), most, 2) + "\n" + aligned(grid, {.most = most});
  }
  return text;
}

std::string survival_csv(std::span<const Survival> all) {
  std::string text =
      csv_line({"benchmark", "mode", "method", "from", "from_stage", "to", "to_stage",
                "edit_language", "test_language", "metric", "measure", "right", "still_right"});
  for (const Survival& survival : all) {
    for (const Survival::Line& line : survival.lines) {
      for (const auto& [measure, kept] : line.kept) {
        text += csv_line({survival.benchmark, survival.mode, survival.method, survival.from.label,
                          survival.from.stage, survival.to.label, survival.to.stage,
                          line.pair.first, line.pair.second, line.metric, measure,
                          std::to_string(kept.right), std::to_string(kept.still)});
      }
    }
  }
  return text;
}

}  // namespace xkde::report
