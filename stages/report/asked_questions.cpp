#include "stages/report/asked_questions.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"

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

std::string mode_text(const Json& line) {
  auto mode = line.at("mode").get<std::string>();
  if (mode != "single") mode += fmt::format(" of {}", line.at("size").get<int64_t>());
  if (line.contains("seed")) mode += fmt::format(", seed {}", line["seed"].get<int64_t>());
  return mode;
}

std::vector<std::vector<Told>> asked_questions(const RunResults& run) {
  std::vector<std::vector<Told>> all;
  std::map<QuestionKey, size_t> places;
  for (const Evaluation& evaluation : run.evaluations) {
    if (!evaluation.asks_edits()) continue;
    const std::filesystem::path file = run.folder / evaluation.stage / "predictions.jsonl";
    LineReader lines(file, FileOrigin::kOwn);
    for (std::string text; lines.next(text);) {
      try {
        Json line = parse_json(text, file.string());
        const auto [place, is_new] = places.emplace(key_of(evaluation, line), all.size());
        if (is_new) all.emplace_back();
        all[place->second].push_back({&evaluation, std::move(line)});
      } catch (const Json::exception&) {
        throw DataError(concat(file.string(), ": line ", lines.number(),
                               ": expected a prediction of this program, found another object"));
      }
    }
  }
  return all;
}

}  // namespace xkde::report
