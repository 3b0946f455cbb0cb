#include "stages/report/shown_edits.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/text/regex/unicode.h"
#include "stages/report/run_results.h"

namespace xkde::report {
namespace {

namespace fs = std::filesystem;

/// What two evaluations ask alike.
using QuestionKey =
    std::tuple<std::string, int64_t, std::string, std::string, std::string, int64_t>;

/// What one evaluation found about a question.
struct Told {
  const Evaluation* evaluation = nullptr;
  Json line;
};

/// Questions in the order in which the first evaluation asks them.
struct AskedQuestions {
  std::vector<std::vector<Told>> all;
  std::map<QuestionKey, size_t> places;
};

/// "single", "batch of 10", "sequential of 10"
std::string place_of(const Json& line) {
  auto mode = line.at("mode").get<std::string>();
  if (mode != "single") mode += fmt::format(" of {}", line.at("size").get<int64_t>());
  return mode;
}

QuestionKey key_of(const Json& line) {
  return {place_of(line),
          line.at("record").get<int64_t>(),
          line.at("edit_language").get<std::string>(),
          line.at("test_language").get<std::string>(),
          line.at("metric").get<std::string>(),
          line.at("probe").get<int64_t>()};
}

void read_lines(const fs::path& file, const Evaluation& evaluation, AskedQuestions& asked) {
  LineReader lines(file, FileOrigin::kOwn);
  int64_t number = 0;
  for (std::string text; lines.next(text);) {
    ++number;
    try {
      Json line = parse_json(text, file.string());
      const auto [place, is_new] = asked.places.emplace(key_of(line), asked.all.size());
      if (is_new) asked.all.emplace_back();
      asked.all[place->second].push_back({&evaluation, std::move(line)});
    } catch (const Json::exception&) {
      throw DataError(concat(file.string(), ": line ", number,
                             ": expected a prediction of this program, found another object"));
    }
  }
}

bool is_right(const Json& line) {
  if (!line.contains("free")) return line.at("score").get<double>() >= 1.0;
  for (const auto& [context, told] : line["free"].items()) {
    for (const auto& [key, value] : told.items()) {
      if (!value.is_number()) continue;
      if (value.get<double>() < 1.0) return false;
      break;
    }
  }
  return true;
}

bool is_wanted(const Json& line, const ShownQuestions& shown) {
  const auto metric = line.at("metric").get<std::string>();
  return (shown.language.empty() || line.at("test_language") == shown.language) &&
         (shown.metric.empty() || metric == shown.metric ||
          metric.starts_with(shown.metric + ".")) &&
         (!shown.record || line.at("record") == *shown.record) && (!shown.wrong || !is_right(line));
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

/// "exact 1, f1 0.67"
std::string scores_text(const Json& told) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : told.items()) {
    if (value.is_number()) parts.push_back(fmt::format("{} {:.3g}", key, value.get<double>()));
  }
  if (told.contains("stopped") && !told["stopped"].get<bool>()) parts.emplace_back("did not stop");
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string told_text(const Told& told) {
  const Json& line = told.line;
  std::string out = fmt::format("  {}: {}: token accuracy {:.2f}\n", told.evaluation->stage,
                                told.evaluation->label, line.at("score").get<double>());
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
  const auto& [place, record, edit, test, metric, probe] = key_of(line);
  std::string out = fmt::format("record {}, {} → {}, {}{}, {}\n", record, edit, test, metric,
                                probe > 0 ? fmt::format(" {}", probe + 1) : "", place);
  if (line.contains("question")) {
    out += field("fact", line["fact"].get<std::string>());
    out += field("question", line["question"].get<std::string>());
    out += field("right", line["target"].get<std::string>());
  } else {
    out += field("prompt", line.at("prompt").get<std::string>());
  }
  for (const Told& told : answers) out += told_text(told);
  return out;
}

}  // namespace

std::string shown_edits(const fs::path& run, const ShownQuestions& shown) {
  const RunResults results = read_run(run);
  XKDE_CHECK(!results.evaluations.empty(), MissingInputError, run.string(),
             ": expected a finished evaluation, found none");
  AskedQuestions asked;
  for (const Evaluation& evaluation : results.evaluations)
    read_lines(run / evaluation.stage / "predictions.jsonl", evaluation, asked);
  std::vector<const std::vector<Told>*> wanted;
  for (const std::vector<Told>& answers : asked.all) {
    if (is_wanted(answers.back().line, shown)) wanted.push_back(&answers);
  }
  const size_t count =
      shown.limit > 0 ? std::min(wanted.size(), static_cast<size_t>(shown.limit)) : wanted.size();
  std::string out = fmt::format(
      "{} of {} questions{}\n", wanted.size(), asked.all.size(),
      count < wanted.size() ? fmt::format(", the first {} shown (--limit 0 shows all)", count)
                            : "");
  for (size_t i = 0; i < count; ++i) {
    out += '\n';
    out += question_text(*wanted[i]);
  }
  return out;
}

}  // namespace xkde::report
