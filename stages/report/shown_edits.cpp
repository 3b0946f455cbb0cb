#include "stages/report/shown_edits.h"

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "core/text/did_you_mean.h"
#include "core/text/regex/unicode.h"
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
std::string field(std::string_view name, std::string_view text) {
  std::string out = fmt::format("  {:<13} ", name);
  for (const char c : text) {
    out += c;
    if (c == '\n') out.append(16, ' ');
  }
  return out + "\n";
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

std::string told_text(const Told& told) {
  const Json& line = told.line;
  std::string out =
      fmt::format("  {}: {}{}: token accuracy {:.2f}\n", told.evaluation->stage,
                  told.evaluation->label, records_of(told), line.at("score").get<double>());
  if (line.contains("answer"))
    out += field("  answer", unicode::strip(line["answer"].get_ref<const std::string&>()));
  if (!line.contains("free")) return out;
  for (const auto& [context, one] : line["free"].items()) {
    out += field("  " + context, unicode::strip(one.at("answer").get_ref<const std::string&>()));
    out += field("", scores_text(one));
  }
  return out;
}

std::string question_text(const std::vector<Told>& answers) {
  const Json& line = answers.front().line;
  const auto probe = line.at("probe").get<int64_t>();
  std::string out =
      fmt::format("record {}, {} → {}, {}{}, {}\n", line.at("record").get<int64_t>(),
                  line.at("edit_language").get<std::string>(),
                  line.at("test_language").get<std::string>(), line.at("metric").get<std::string>(),
                  probe > 0 ? fmt::format(" {}", probe + 1) : "", mode_text(line));
  if (line.contains("question")) {
    out += field("fact", line["fact"].get<std::string>());
    out += field("question", line["question"].get<std::string>());
    out += field(is_negated(line) ? "wrong" : "right", line["target"].get<std::string>());
  } else {
    out += field("prompt", line.at("prompt").get<std::string>());
  }
  for (const Told& told : answers) out += told_text(told);
  return out;
}

}  // namespace

std::string shown_edits(const fs::path& run, const ShownQuestions& shown) {
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
      "{} of {} questions{}\n", wanted.size(), asked.size(),
      count < wanted.size() ? fmt::format(", the first {} shown (--limit 0 shows all)", count)
                            : "");
  for (size_t i = 0; i < count; ++i) {
    out += '\n';
    out += question_text(*wanted[i]);
  }
  return out;
}

}  // namespace xkde::report
