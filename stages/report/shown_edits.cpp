#include "stages/report/shown_edits.h"

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/edit/edit_questions.h"
#include "core/evaluate/extra_metrics.h"
#include "core/io/json_file.h"
#include "core/text/did_you_mean.h"
#include "core/text/plural.h"
#include "core/text/regex/unicode.h"
#include "core/text/text_layout.h"
#include "stages/recipe/errors.h"
#include "stages/report/asked_questions.h"
#include "stages/report/run_results.h"

namespace xkde::report {
namespace {

namespace fs = std::filesystem;

bool is_wanted(const Json& line, const ShownQuestions& shown) {
  const auto metric = line.at("metric").get<std::string>();
  return (shown.language.empty() || line.at("test_language") == shown.language) &&
         (shown.metric.empty() || metric == shown.metric ||
          metric.starts_with(shown.metric + ".")) &&
         (!shown.record || line.at("record") == *shown.record) && (!shown.wrong || !is_right(line));
}

/// Refuses a name that no question has. `groups` are names of several of `known`.
void check_name(std::string_view option, const std::string& wanted,
                const std::set<std::string>& known, std::span<const std::string> groups = {}) {
  std::vector<std::string> names(known.begin(), known.end());
  const std::string expected = recipe::alternatives(names);
  names.insert(names.end(), groups.begin(), groups.end());
  if (wanted.empty() || std::ranges::find(names, wanted) != names.end()) return;
  const std::vector<std::string> first(groups.begin(), groups.end());
  std::string hint = did_you_mean(wanted, first);
  if (hint.empty()) hint = did_you_mean(wanted, names);
  throw UsageError(concat("show: ", option, ": expected ", expected, ", found '",
                          recipe::printable(wanted), "'", hint));
}

/// Refuses to show what no question of the run has, and says what they have.
void check_asked(const std::vector<std::vector<Told>>& asked, const ShownQuestions& shown) {
  std::set<std::string> languages, metrics, groups;
  std::set<int64_t> records;
  for (const std::vector<Told>& answers : asked) {
    const Json& line = answers.back().line;
    languages.insert(line.at("test_language").get<std::string>());
    records.insert(line.at("record").get<int64_t>());
    const auto metric = line.at("metric").get<std::string>();
    metrics.insert(metric);
    groups.insert(metric.substr(0, metric.find('.')));
  }
  if (asked.empty()) return;
  check_name("--lang", shown.language, languages);
  const std::vector<std::string> group_names(groups.begin(), groups.end());
  check_name("--metric", shown.metric, metrics, group_names);
  XKDE_CHECK(!shown.record || records.contains(*shown.record), UsageError,
             "show: --record: expected one of the ", records.size(), " records from ",
             *records.begin(), " to ", *records.rbegin(), " that were asked, found ",
             *shown.record);
}

/// "  fact      TEXT", its further lines below the first.
std::string field(std::string_view name, std::string_view text, size_t most) {
  constexpr size_t kText = 16;
  std::string out = fmt::format("  {:<{}}", name, kText - 2);
  for (const char c : text) {
    out += c;
    if (c == '\n') out.append(kText, ' ');
  }
  return folded(out.substr(0, out.find_last_not_of(' ') + 1), most, kText) + "\n";
}

/// ", batch 1, records: 743 in file order": those of the evaluation that a line is of; empty where
/// that is not known.
std::string records_of(const Told& told) {
  const Json& line = told.line;
  for (const ResultRow& row : told.evaluation->rows) {
    const bool is_its = line.at("size") == row.scope.size &&
                        line.at("edit_language") == row.edit_language &&
                        line.at("test_language") == row.test_language &&
                        (!line.contains("seed") || line["seed"] == row.scope.seed.value_or(-1));
    if (!is_its) continue;
    const std::string records = records_text(row);
    return records.empty() ? "" : fmt::format(", batch {}, records: {}", row.scope.batch, records);
  }
  return "";
}

bool is_locality(std::string_view metric) {
  return metric.substr(0, metric.find('.')) == name_of(kMetricNames, Metric::kLocality);
}

/// "reliability right: token accuracy 1.00", "locality changed: …": a verdict with its metric.
std::string verdict_of(const std::string& metric, bool is_kept, bool is_right,
                       const std::string& scores) {
  const char* verdict = is_kept ? (is_right ? "kept" : "changed") : is_right ? "right" : "wrong";
  return concat(metric, ' ', verdict, ": ", scores);
}

/// The scores of an answer in one context: its own, or those against what the model said before
/// training, under the names of the scorers.
Json scores_in(const Json& told, bool of_base) {
  constexpr std::string_view kBase = "base_";
  Json scores = Json::object();
  for (const auto& [key, value] : told.items()) {
    if (key.starts_with(kBase) == of_base && (!of_base || value.is_number()))
      scores[of_base ? key.substr(kBase.size()) : key] = value;
  }
  return scores;
}

/// The verdict on all tokens behind the right answer, and what else was counted of them.
std::string token_verdict(const Json& line, const std::string& metric) {
  const auto score = line.at("score").get<double>();
  std::string scores = fmt::format("token accuracy {:.2f}", score);
  if (is_locality(metric)) scores += " against the answer without the edit";
  if (is_negated(line)) scores += " of saying something else";
  for (const ExtraMetric& extra : extra_metrics()) {
    const auto value = line.find(extra.name);
    if (value != line.end() && value->is_number())
      scores += fmt::format(", {} {:.3g}", extra.name, value->get<double>());
  }
  return verdict_of(metric, is_locality(metric), score >= 1.0, scores);
}

std::string told_text(const Told& told, size_t most) {
  constexpr const char* kAgainstBase = " against the answer before training";
  const Json& line = told.line;
  const auto metric = line.at("metric").get<std::string>();
  const bool is_kept = is_locality(metric);
  const auto text_of = [](const Json& of, const char* key) {
    std::string text(unicode::strip(of.at(key).get_ref<const std::string&>()));
    return text.empty() ? "(nothing)" : text;
  };
  std::string out = folded(fmt::format("  {}: {}{}", told.evaluation->stage, told.evaluation->label,
                                       records_of(told)),
                           most, 4) +
                    "\n";
  if (line.contains("predicted_text")) {
    // With quotes, as a blank before a word makes another token.
    out += field(is_kept ? "  unedited" : "  expected", line["target_text"].dump(), most);
    out += field("  predicted", line["predicted_text"].dump(), most);
  }
  out += field("", token_verdict(line, metric), most);
  if (line.contains("base_locality")) {
    const auto score = line["base_locality"].get<double>();
    out += field("",
                 verdict_of("base_locality", is_kept, score >= 1.0,
                            fmt::format("token accuracy {:.2f}{}", score, kAgainstBase)),
                 most);
  }
  if (line.contains("answer")) out += field("  answer", text_of(line, "answer"), most);
  if (!line.contains("free")) return out;
  for (const auto& [context, one] : line["free"].items()) {
    const std::string free = concat("free.", context, '.');
    out += field("  answered", text_of(one, "answer"), most);
    const Json own = scores_in(one, false), base = scores_in(one, true);
    out +=
        field("", verdict_of(free + metric, is_kept, is_right_answer(own), scores_text(own)), most);
    if (!base.empty())
      out += field("",
                   verdict_of("base_" + free + metric, is_kept, is_right_answer(base),
                              scores_text(base) + kAgainstBase),
                   most);
  }
  return out;
}

std::string question_text(const std::vector<Told>& answers, size_t most) {
  const Json& line = answers.front().line;
  const auto metric = line.at("metric").get<std::string>();
  const auto probe = line.at("probe").get<int64_t>();
  std::string out =
      folded(fmt::format("record {}, {} → {}, {}{}, {}", line.at("record").get<int64_t>(),
                         line.at("edit_language").get<std::string>(),
                         line.at("test_language").get<std::string>(), metric,
                         probe > 0 ? fmt::format(" {}", probe + 1) : "", mode_text(line)),
             most, 4) +
      "\n";
  if (line.contains("question")) {
    out += field("fact", line["fact"].get<std::string>(), most);
    out += field("question", line["question"].get<std::string>(), most);
    const auto target = line["target"].get<std::string>();
    if (is_locality(metric)) {
      out += field("expected", "the same as without the edit", most);
      out += field("in the file", target, most);
    } else {
      out += field(is_negated(line) ? "wrong" : "expected", target, most);
    }
  } else {
    out += field("prompt", line.at("prompt").get<std::string>(), most);
  }
  for (const Told& told : answers) out += told_text(told, most);
  return out;
}

}  // namespace

std::string shown_edits(const fs::path& run, const ShownQuestions& shown, size_t most) {
  const RunResults results = read_run(run);
  XKDE_CHECK(std::any_of(results.evaluations.begin(), results.evaluations.end(),
                         [](const Evaluation& one) { return one.asks_edits(); }),
             MissingInputError, run.string(), ": expected a finished evaluation, found none");
  const std::vector<std::vector<Told>> asked = asked_questions(results);
  check_asked(asked, shown);
  std::vector<const std::vector<Told>*> wanted;
  for (const std::vector<Told>& answers : asked) {
    if (is_wanted(answers.back().line, shown)) wanted.push_back(&answers);
  }
  const size_t count =
      shown.limit > 0 ? std::min(wanted.size(), static_cast<size_t>(shown.limit)) : wanted.size();
  std::string out = fmt::format(
      "{} of {}{}\n", wanted.size(), count_of(asked.size(), "question"),
      count < wanted.size() ? fmt::format(", the first {} shown (--limit 0 shows all)", count)
                            : "");
  for (size_t i = 0; i < count; ++i) {
    out += '\n';
    out += question_text(*wanted[i], most);
  }
  return out;
}

}  // namespace xkde::report
