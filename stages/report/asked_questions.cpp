#include "stages/report/asked_questions.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/edit/edit_questions.h"
#include "core/io/file_reader.h"
#include "stages/recipe/run_record.h"

namespace xkde::report {
namespace {

/// What two evaluations ask alike: benchmark, mode, record, languages, metric and probe.
using QuestionKey =
    std::tuple<std::string, std::string, int64_t, std::string, std::string, std::string, int64_t>;

QuestionKey key_of(const Evaluation& evaluation, const Json& line) {
  return {evaluation.rows.empty() ? "" : evaluation.rows.front().scope.benchmark,
          mode_text(line),
          line.at("record").get<int64_t>(),
          line.at("edit_language").get<std::string>(),
          line.at("test_language").get<std::string>(),
          line.at("metric").get<std::string>(),
          line.at("probe").get<int64_t>()};
}

}  // namespace

int64_t each_prediction(const RunResults& run, const Evaluation& evaluation, size_t most,
                        const std::function<void(Json& line, int64_t number)>& use) {
  const std::filesystem::path file = run.folder / evaluation.stage / recipe::kPredictionsFile;
  LineReader lines(file, FileOrigin::kOwn);
  int64_t count = 0;
  for (std::string text; static_cast<size_t>(count) < most && lines.next(text); ++count) {
    try {
      Json line = parse_json(text, file.string());
      use(line, count + 1);
    } catch (const Json::exception&) {
      throw DataError(concat(file.string(), ": line ", lines.number(),
                             ": expected a prediction of this program, found another object"));
    }
  }
  return count;
}

std::string mode_text(const Json& line) {
  auto mode = line.at("mode").get<std::string>();
  if (mode != "single") mode += fmt::format(" of {}", line.at("size").get<int64_t>());
  if (line.contains("seed")) mode += fmt::format(", seed {}", line["seed"].get<int64_t>());
  return mode;
}

AskedQuestions first_questions(const RunResults& run, size_t first) {
  const bool takes_all = first == std::numeric_limits<size_t>::max();
  std::set<QuestionKey> wanted;
  for (const Evaluation& evaluation : run.evaluations) {
    if (takes_all || !evaluation.asks_edits()) continue;
    each_prediction(run, evaluation, first,
                    [&](Json& line, int64_t) { wanted.insert(key_of(evaluation, line)); });
  }
  AskedQuestions asked;
  std::map<QuestionKey, size_t> places;
  for (const Evaluation& evaluation : run.evaluations) {
    asked.counts.push_back(0);
    if (!evaluation.asks_edits()) continue;
    asked.counts.back() = each_prediction(
        run, evaluation, std::numeric_limits<size_t>::max(), [&](Json& line, int64_t number) {
          const QuestionKey key = key_of(evaluation, line);
          if (!takes_all && !wanted.contains(key)) return;
          const auto [place, is_new] = places.emplace(key, asked.questions.size());
          if (is_new) asked.questions.emplace_back();
          asked.questions[place->second].push_back({&evaluation, std::move(line), number});
        });
  }
  return asked;
}

std::vector<std::vector<Told>> asked_questions(const RunResults& run) {
  return first_questions(run, std::numeric_limits<size_t>::max()).questions;
}

bool is_right_answer(const Json& told) {
  if (told.contains("verdict")) return told["verdict"].get<double>() >= 1.0;
  for (const auto& [key, value] : told.items()) {
    if (value.is_number()) return value.get<double>() >= 1.0;
  }
  return true;
}

bool is_right(const Json& line) {
  if (!line.contains("free")) return line.at("score").get<double>() >= 1.0;
  const Json& free = line["free"];
  return std::all_of(free.begin(), free.end(), is_right_answer);
}

bool is_negated(const Json& line) {
  return line.at("metric") == name_of(kMetricNames, Metric::kNegation);
}

std::string scores_text(const Json& told) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : told.items()) {
    if (value.is_number()) parts.push_back(fmt::format("{} {:.3g}", key, value.get<double>()));
  }
  if (told.contains("stopped") && !told["stopped"].get<bool>()) parts.emplace_back("did not stop");
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace xkde::report
