#include "stages/report/run_comparison.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/text/plural.h"
#include "stages/recipe/run_record.h"
#include "stages/report/asked_questions.h"
#include "stages/report/evaluation_blocks.h"

namespace xkde::report {
namespace {

constexpr int64_t kResamples = 10'000;
constexpr uint64_t kSeed = 0;
constexpr size_t kShownValue = 80;  ///< bytes of a recipe's value

/// What one table row is about: mode, edit language, test language, metric without its kind.
using Group = std::tuple<std::string, std::string, std::string, std::string>;
/// Within a group: kind of the metric, record, probe.
using Place = std::tuple<std::string, int64_t, int64_t>;

struct AskedOnce {
  double score = 0;
  std::string prompt;
  std::optional<std::string> text;  ///< of question and target, where the line has them
};
using Questions = std::map<Group, std::map<Place, AskedOnce>>;

std::optional<Questions> questions_of(const RunResults& run, const Evaluation& evaluation) {
  if (!is_there(run.folder / evaluation.stage / recipe::kPredictionsFile, FileOrigin::kOwn))
    return std::nullopt;
  Questions all;
  each_prediction(run, evaluation, std::numeric_limits<size_t>::max(), [&](Json& line, int64_t) {
    const auto metric = line.at("metric").get<std::string>();
    const std::string plain = metric.substr(0, metric.find('.'));
    AskedOnce one{line.at("score").get<double>(), line.at("prompt").get<std::string>(), {}};
    if (line.contains("question") && line.contains("target"))
      one.text = line["question"].dump() + line["target"].dump();
    all[{mode_text(line), line.at("edit_language").get<std::string>(),
         line.at("test_language").get<std::string>(), plain}]
       [{metric, line.at("record").get<int64_t>(), line.at("probe").get<int64_t>()}] =
           std::move(one);
  });
  return all;
}

/// The keys of the stage, as run.json has them; null where it has not.
Json keys_of(const RunResults& run, const std::string& stage) {
  const Json none;
  const auto stages = run.run.value("stages", Json::array());
  for (size_t i = 0; i < stages.size(); ++i) {
    const Json::json_pointer place("/recipe/stages/" + std::to_string(i));
    if (stages[i] == stage && run.run.contains(place) && !run.run[place].empty())
      return run.run[place].front();
  }
  return none;
}

std::string averaging_of(const RunResults& run, const Evaluation& evaluation) {
  const Json keys = keys_of(run, evaluation.stage);
  return keys.is_object() ? keys.value("averaging", "easyedit") : "easyedit";
}

using Values = std::pair<double, double>;  ///< of the first and of the other run

/// (first, other) of each record, so that their mean is the value of the metric as results.json
/// counts it: easyedit is the mean over the probes of a kind, then over a record's kinds; lte is
/// the mean over the records of each kind, then over kinds (protocol Q27).
std::vector<Values> record_values(const std::map<Place, Values>& scores, bool is_lte) {
  std::map<std::string, std::map<int64_t, std::vector<Values>>> kinds;
  for (const auto& [place, values] : scores)
    kinds[std::get<0>(place)][std::get<1>(place)].push_back(values);
  std::map<int64_t, std::vector<std::pair<Values, size_t>>> parts;  // with the kind's records
  for (const auto& [kind, records] : kinds) {
    for (const auto& [record, probes] : records) {
      Values mean{0, 0};
      for (const auto& [first, other] : probes) {
        mean.first += first / static_cast<double>(probes.size());
        mean.second += other / static_cast<double>(probes.size());
      }
      parts[record].emplace_back(mean, records.size());
    }
  }
  std::vector<Values> of_records;
  for (const auto& [record, means] : parts) {
    Values sum{0, 0};
    for (const auto& [mean, count] : means) {
      const double weight =
          is_lte ? static_cast<double>(parts.size()) / static_cast<double>(kinds.size() * count)
                 : 1.0 / static_cast<double>(means.size());
      sum.first += weight * mean.first;
      sum.second += weight * mean.second;
    }
    of_records.push_back(sum);
  }
  return of_records;
}

int64_t records_in(const std::map<Place, AskedOnce>& questions) {
  std::set<int64_t> records;
  for (const auto& [place, one] : questions) records.insert(std::get<1>(place));
  return std::ssize(records);
}

/// How the questions of two evaluations go together.
struct Match {
  int64_t common = 0, other_text = 0, other_prompt = 0, only_first = 0, only_other = 0;
};

/// The scores of the questions that both asked.
std::map<Place, Values> common_scores(const std::map<Place, AskedOnce>& first,
                                      const std::map<Place, AskedOnce>& other, Match& match) {
  std::map<Place, Values> scores;
  for (const auto& [place, one] : first) {
    const auto found = other.find(place);
    if (found == other.end()) {
      ++match.only_first;
      continue;
    }
    if (one.text && found->second.text && *one.text != *found->second.text) {
      ++match.other_text;
      continue;
    }
    const bool is_told = one.text && found->second.text;
    if (!is_told && one.prompt != found->second.prompt) ++match.other_prompt;
    ++match.common;
    scores[place] = {100 * one.score, 100 * found->second.score};
  }
  for (const auto& [place, one] : other) match.only_other += first.contains(place) ? 0 : 1;
  return scores;
}

std::string warning_of(const Match& match) {
  std::vector<std::string> parts;
  const auto add = [&parts](int64_t count, std::string_view what) {
    if (count > 0) parts.push_back(counted(count) + std::string(what));
  };
  const auto questions_are = [](int64_t count) {
    return concat(' ', plural("question", count), count == 1 ? " is" : " are");
  };
  const auto have = [](int64_t count) { return count == 1 ? " has" : " have"; };
  add(match.only_first, questions_are(match.only_first) + " asked by the first alone");
  add(match.only_other, questions_are(match.only_other) + " asked by the other alone");
  add(match.other_text, concat(have(match.other_text), " another text or target"));
  add(match.other_prompt, concat(have(match.other_prompt),
                                 " another prompt, and nothing tells whether they ask the same"));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// One evaluation of a run.
struct Side {
  const RunResults* run = nullptr;
  const Evaluation* evaluation = nullptr;
  std::optional<Questions> questions = {};

  std::string title() const { return run->name + ", " + evaluation->stage; }
};

RunDifference difference_of(const std::vector<Values>& values) {
  RunDifference difference;
  std::vector<double> differences;
  for (const auto& [first, other] : values) {
    differences.push_back(other - first);
    difference.first_value += first / static_cast<double>(values.size());
    difference.other_value += other / static_cast<double>(values.size());
  }
  difference.records = std::ssize(values);
  difference.test = paired_test(differences, kResamples, kSeed);
  return difference;
}

void compare_evaluations(const Side& first, const Side& other, RunComparison& comparison) {
  const std::string titles = first.title() + " and " + other.title() + ": ";
  const std::string averaging = averaging_of(*first.run, *first.evaluation);
  if (averaging != averaging_of(*other.run, *other.evaluation)) {
    comparison.warnings.push_back(titles + "averaging differs, so that they are not compared");
    return;
  }
  Match match;
  const std::map<Place, AskedOnce> none;
  const auto of_group = [&none](const Questions& all, const Group& group) -> auto& {
    const auto found = all.find(group);
    return found == all.end() ? none : found->second;
  };
  std::set<Group> groups;
  for (const Side* side : {&first, &other}) {
    for (const auto& [group, questions] : *side->questions) groups.insert(group);
  }
  std::vector<Group> ordered(groups.begin(), groups.end());
  std::ranges::stable_sort(ordered, {}, [](const Group& group) {
    const auto main = std::ranges::find(kMainMetrics, std::get<3>(group));
    return std::tuple(std::get<0>(group), std::get<1>(group), std::get<2>(group), main);
  });
  for (const Group& group : ordered) {
    const auto& mine = of_group(*first.questions, group);
    const auto& theirs = of_group(*other.questions, group);
    const auto scores = common_scores(mine, theirs, match);
    if (scores.empty()) continue;
    RunDifference difference = difference_of(record_values(scores, averaging == "lte"));
    difference.benchmark = first.evaluation->rows.front().scope.benchmark;
    difference.other = other.run->name;
    difference.metric = std::get<3>(group);
    difference.mode = std::get<0>(group);
    difference.pair = {std::get<1>(group), std::get<2>(group)};
    difference.first_records = records_in(mine);
    difference.other_records = records_in(theirs);
    comparison.differences.push_back(std::move(difference));
  }
  const std::string warning = warning_of(match);
  if (!warning.empty())
    comparison.warnings.push_back(fmt::format("{}{}; {} {} compared", titles, warning,
                                              counted(match.common),
                                              match.common == 1 ? "is" : "are"));
}

/// "zsre, sequential" and when a stream is asked: what two evaluations must share.
std::string block_of(const Evaluation& evaluation) {
  const EvalScope& scope = evaluation.rows.front().scope;
  return scope.benchmark + ", " + scope.mode + ", " + scope.eval_when;
}

/// The last evaluation of edits of each block, in the order of their first ones.
std::vector<Side> last_evaluations(const RunResults& run) {
  std::vector<Side> last;
  for (const Evaluation& evaluation : run.evaluations) {
    if (evaluation.rows.empty() || !evaluation.asks_edits()) continue;
    const auto found = std::ranges::find_if(
        last, [&](const Side& side) { return block_of(*side.evaluation) == block_of(evaluation); });
    if (found == last.end()) {
      last.push_back({&run, &evaluation});
    } else {
      found->evaluation = &evaluation;
    }
  }
  return last;
}

/// {"sft.learning_rate": 1e-05, "evaluate[2].mode": "single"}; lists are values.
void flatten_keys(const Json& value, const std::string& key, std::map<std::string, Json>& flat) {
  if (!value.is_object() || value.empty()) {
    flat[key] = value;
    return;
  }
  for (const auto& [name, inner] : value.items())
    flatten_keys(inner, key.empty() ? name : key + "." + name, flat);
}

std::map<std::string, Json> recipe_of(const RunResults& run) {
  std::map<std::string, Json> flat;
  Json recipe = run.run.value("recipe", Json::object());
  if (!recipe.is_object()) return flat;
  const Json stages = recipe.value("stages", Json::array());
  for (const char* key : {"stages", "run_name", "output_dir"}) recipe.erase(key);
  if (!recipe.empty()) flatten_keys(recipe, "", flat);
  std::map<std::string, int> counts;
  for (const Json& stage : stages) {
    if (!stage.is_object()) continue;
    for (const auto& [kind, keys] : stage.items()) {
      const int count = ++counts[kind];
      flatten_keys(keys, count == 1 ? kind : fmt::format("{}[{}]", kind, count), flat);
    }
  }
  return flat;
}

std::string shown_value(const std::map<std::string, Json>& recipe, const std::string& key) {
  const auto found = recipe.find(key);
  if (found == recipe.end()) return "–";
  const Json& value = found->second;
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.size() <= kShownValue) return text;
  size_t end = kShownValue;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

TextGrid differing_keys(std::span<const RunResults> runs) {
  std::vector<std::map<std::string, Json>> recipes;
  std::set<std::string> keys;
  TextGrid grid{{"key"}};
  for (const RunResults& run : runs) {
    grid.front().push_back(run.name);
    recipes.push_back(recipe_of(run));
    for (const auto& [key, value] : recipes.back()) keys.insert(key);
  }
  for (const std::string& key : keys) {
    const auto value_in = [&key](const std::map<std::string, Json>& recipe) {
      const auto found = recipe.find(key);
      return found == recipe.end() ? std::optional<Json>() : std::optional(found->second);
    };
    const bool differs = std::ranges::any_of(
        recipes, [&](const auto& recipe) { return value_in(recipe) != value_in(recipes.front()); });
    if (!differs) continue;
    grid.push_back({key});
    for (const auto& recipe : recipes) grid.back().push_back(shown_value(recipe, key));
  }
  return grid.size() > 1 ? grid : TextGrid();
}

void correct(std::vector<RunDifference>& differences) {
  std::vector<std::optional<double>> p_values;
  for (const RunDifference& one : differences) p_values.push_back(one.test.p);
  const auto corrected = holm(p_values);
  for (size_t i = 0; i < differences.size(); ++i) differences[i].p_holm = corrected[i];
}

std::string p_text(const std::optional<double>& p) {
  if (!p) return "–";
  return *p < 0.00005 ? "< 0.0001" : fmt::format("{:.4f}", *p);
}

/// The grid with its first `count` columns in one, which may be broken at any of them.
TextGrid with_joined(const TextGrid& grid, size_t count) {
  TextGrid joined;
  for (const std::vector<std::string>& line : grid) {
    const std::span cells(line);
    joined.push_back({fmt::format("{}", fmt::join(cells.first(count), ", "))});
    joined.back().insert(joined.back().end(), cells.begin() + std::ptrdiff_t(count), cells.end());
  }
  return joined;
}

}  // namespace

RunComparison compare_runs(std::span<const RunResults> runs) {
  RunComparison comparison;
  if (runs.size() < 2) return comparison;
  comparison.recipe_keys = differing_keys(runs);
  for (Side& first : last_evaluations(runs.front())) {
    first.questions = questions_of(*first.run, *first.evaluation);
    for (const RunResults& run : runs.subspan(1)) {
      for (Side& other : last_evaluations(run)) {
        if (block_of(*other.evaluation) != block_of(*first.evaluation)) continue;
        other.questions = questions_of(run, *other.evaluation);
        if (first.questions && other.questions) {
          compare_evaluations(first, other, comparison);
        } else {
          comparison.warnings.push_back(first.title() + " and " + other.title() +
                                        ": not compared, as one has no predictions.jsonl");
        }
      }
    }
  }
  correct(comparison.differences);
  return comparison;
}

TextGrid differences_grid(const RunComparison& comparison) {
  if (comparison.differences.empty()) return {};
  TextGrid grid{{"run", "benchmark", "edits", "languages", "metric", "n, first", "n, run",
                 "n, both", "value, first", "value, run", "difference", "95 % interval", "p",
                 "p (Holm)"}};
  for (const RunDifference& one : comparison.differences) {
    const auto& interval = one.test.interval;
    grid.push_back(
        {one.other, one.benchmark, one.mode, pair_text(one.pair), one.metric,
         counted(one.first_records), counted(one.other_records), counted(one.records),
         fmt::format("{:.2f}", one.first_value), fmt::format("{:.2f}", one.other_value),
         fmt::format("{:+.2f}", one.test.mean),
         interval ? fmt::format("{:+.2f} … {:+.2f}", interval->low, interval->high) : "–",
         p_text(one.test.p), p_text(one.p_holm)});
  }
  return grid;
}

std::string comparison_text(const RunComparison& comparison, size_t most) {
  constexpr size_t kIndent = 6;
  std::string text;
  for (const std::string& warning : comparison.warnings)
    text += folded("warning: " + warning, most, kIndent) + "\n";
  const TextGrid grid = differences_grid(comparison);
  if (!grid.empty()) {
    constexpr size_t kTitles = 5;  // run, benchmark, edits, languages, metric
    const bool fits = aligned_width(grid) <= most;
    text += "\ndifferences to the first run, paired by record\n" +
            (fits ? aligned(grid, {.titles = kTitles})
                  : aligned(with_joined(grid, kTitles), {.most = most}));
  }
  if (!comparison.recipe_keys.empty())
    text += "\nkeys of the recipes that differ\n" + aligned(comparison.recipe_keys, {.most = most});
  return text;
}

}  // namespace xkde::report
