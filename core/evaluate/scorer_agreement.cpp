#include "core/evaluate/scorer_agreement.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/text/text_layout.h"

namespace xkde {
namespace {

constexpr const char* kNothingAsked = "undefined: no answer";
constexpr const char* kAllRight = "undefined: both say right of all";
constexpr const char* kAllWrong = "undefined: both say wrong of all";

/// Scorers that evaluations ask for, the judge last.
std::vector<std::string> names_of_scorers(const EvalOptions& options) {
  std::vector<std::string> names;
  for (const FreeScorer* scorer : FreeChoice(*options.free_answers).scorers) {
    if (!scorer->is_of_verdicts) names.emplace_back(scorer->name);
  }
  if (options.judge) names.emplace_back(kJudgeScorer);
  return names;
}

std::map<std::string, bool, std::less<>> says_right(const ScoredFreeAnswer& answer) {
  std::map<std::string, bool, std::less<>> verdicts;
  for (const auto& [scorer, value] : answer.scores)
    verdicts[std::string(scorer->name)] = value >= kRightFrom;
  if (answer.judged && answer.judged->verdict)
    verdicts[std::string(kJudgeScorer)] = answer.judged->verdict->is_right();
  return verdicts;
}

/// Why kappa is not defined.
const char* reason(const BinaryAgreement& counts) {
  if (counts.n() == 0) return kNothingAsked;
  return counts.neither == 0 ? kAllRight : kAllWrong;
}

void add_counts(const BinaryAgreement& counts, Json& json) {
  json["n"] = counts.n();
  json["both_right"] = counts.both;
  json["only_first_right"] = counts.only_first;
  json["only_second_right"] = counts.only_second;
  json["both_wrong"] = counts.neither;
  const auto equal = counts.equal(), kappa = counts.kappa();
  json["equal"] = equal ? Json(round_2(100 * *equal)) : Json(kNothingAsked);
  json["kappa"] = kappa ? Json(*kappa) : Json(reason(counts));
}

BinaryAgreement counts_in(const Json& json) {
  const auto count = [&json](const char* key) { return json.at(key).get<int64_t>(); };
  return {.both = count("both_right"),
          .only_first = count("only_first_right"),
          .only_second = count("only_second_right"),
          .neither = count("both_wrong")};
}

std::string kappa_text(const BinaryAgreement& counts) {
  if (const auto kappa = counts.kappa()) return fmt::format("{:.2f}", *kappa);
  if (counts.n() == 0) return "no answer";
  return counts.neither == 0 ? "all right" : "all wrong";
}

std::string equal_text(const BinaryAgreement& counts) {
  const auto equal = counts.equal();
  return equal ? fmt::format("{:.2f}", 100 * *equal) : "no answer";
}

std::string agreement_cell(const BinaryAgreement& counts) {
  if (counts.n() == 0) return "no answer";
  return fmt::format("{} ({})", equal_text(counts), kappa_text(counts));
}

}  // namespace

std::vector<ScorerAgreement> scorer_agreement(const EvalOptions& options,
                                              const ScoredEvaluation& scored) {
  if (!options.free_answers) return {};
  const std::vector<std::string> names = names_of_scorers(options);
  std::vector<ScorerAgreement> all;
  for (const FreeContext context : FreeChoice(*options.free_answers).contexts) {
    const std::string in(name_of(kFreeContextNames, context));
    for (size_t i = 0; i < names.size(); ++i) {
      for (size_t j = i + 1; j < names.size(); ++j) all.push_back({in, names[i], names[j], {}});
    }
  }
  for (const auto& [place, block] : scored.blocks) {
    for (const Prediction& prediction : block.predictions) {
      if (prediction.kind.metric == Metric::kLocality) continue;
      for (const ScoredFreeAnswer& answer : prediction.free) {
        const auto verdicts = says_right(answer);
        const std::string_view in = name_of(kFreeContextNames, answer.context);
        for (ScorerAgreement& pair : all) {
          const auto first = verdicts.find(pair.first), second = verdicts.find(pair.second);
          if (pair.context != in || first == verdicts.end() || second == verdicts.end()) continue;
          pair.counts.add(first->second, second->second);
        }
      }
    }
  }
  return all;
}

std::vector<LabelAgreement> label_agreement(const std::vector<LabelledRow>& rows,
                                            const JudgeVerdicts& verdicts) {
  LabelAgreement all{"all", {}};
  std::map<std::string, BinaryAgreement> by_language;
  for (const LabelledRow& row : rows) {
    BinaryAgreement& of_language = by_language[row.language];
    const std::optional<JudgeVerdict>& verdict = verdicts.at(row.asked);
    if (!verdict) continue;
    all.counts.add(row.is_right, verdict->is_right());
    of_language.add(row.is_right, verdict->is_right());
  }
  std::vector<LabelAgreement> found{all};
  if (by_language.size() < 2) return found;
  for (const auto& [language, counts] : by_language) found.push_back({language, counts});
  return found;
}

Json agreement_json(const std::vector<ScorerAgreement>& all) {
  Json list = Json::array();
  for (const ScorerAgreement& one : all) {
    Json json{{"context", one.context}, {"first", one.first}, {"second", one.second}};
    add_counts(one.counts, json);
    list.push_back(std::move(json));
  }
  return list;
}

Json agreement_json(const std::vector<LabelAgreement>& all) {
  Json list = Json::array();
  for (const LabelAgreement& one : all) {
    Json json{{"language", one.language}};
    add_counts(one.counts, json);
    list.push_back(std::move(json));
  }
  return list;
}

AgreementReport parse_agreement(const Json& statistics, const std::string& name) {
  AgreementReport report;
  try {
    for (const Json& one : statistics.value("scorer_agreement", Json::array()))
      report.scorers.push_back({one.at("context").get<std::string>(),
                                one.at("first").get<std::string>(),
                                one.at("second").get<std::string>(), counts_in(one)});
    const Json judge = statistics.value("judge", Json::object());
    for (const Json& one : judge.value("labelled", Json::array()))
      report.labelled.push_back({one.at("language").get<std::string>(), counts_in(one)});
  } catch (const Json::exception&) {
    throw DataError(concat(name, ": expected the agreement of scorers, found another object"));
  }
  return report;
}

TextGrid agreement_grid(const std::vector<ScorerAgreement>& all) {
  if (all.empty()) return {};
  std::vector<std::string> columns, lines;
  std::map<std::pair<std::string, std::string>, const BinaryAgreement*> cells;
  const auto add_once = [](std::vector<std::string>& list, const std::string& value) {
    if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
  };
  std::map<std::string, std::set<int64_t>> numbers;
  for (const ScorerAgreement& one : all) {
    const std::string line = one.context + ", " + one.first;
    add_once(columns, one.second);
    add_once(lines, line);
    cells[{line, one.second}] = &one.counts;
    numbers[line].insert(one.counts.n());
  }
  TextGrid grid{{"context, scorer", "n"}};
  grid[0].insert(grid[0].end(), columns.begin(), columns.end());
  for (const std::string& line : lines) {
    const std::set<int64_t>& of_line = numbers[line];
    std::vector<std::string> row{line, fmt::format("{}", fmt::join(of_line, ", "))};
    for (const std::string& column : columns) {
      const auto found = cells.find({line, column});
      row.push_back(found == cells.end() ? "" : agreement_cell(*found->second));
    }
    grid.push_back(std::move(row));
  }
  return grid;
}

TextGrid agreement_grid(const std::vector<LabelAgreement>& all) {
  if (all.empty()) return {};
  TextGrid grid{{"labelled rows", "n", "equal", "kappa", "labelled right", "said right", "both"}};
  for (const auto& [language, counts] : all)
    grid.push_back({language, std::to_string(counts.n()), equal_text(counts), kappa_text(counts),
                    std::to_string(counts.both + counts.only_first),
                    std::to_string(counts.both + counts.only_second), std::to_string(counts.both)});
  return grid;
}

std::string agreement_text(const AgreementReport& report, const std::string& stage, size_t most) {
  std::string text;
  if (!report.scorers.empty())
    text += stage + ", agreement of scorers: equal verdicts in percent (kappa)\n" +
            aligned(agreement_grid(report.scorers), {.most = most});
  if (!report.labelled.empty())
    text += (text.empty() ? "" : "\n") + stage + ", the judge against labelled rows\n" +
            aligned(agreement_grid(report.labelled), {.most = most});
  return text;
}

}  // namespace xkde
