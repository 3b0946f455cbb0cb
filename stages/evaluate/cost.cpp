#include "stages/evaluate/cost.h"

#include <set>
#include <string>

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde::recipe {
namespace {

/// Prompts, tokens and seconds by the kind of chunk.
Json sums_of(const std::filesystem::path& metrics) {
  Json sums = Json::object();
  LineReader lines(metrics, FileOrigin::kOwn);
  for (std::string text; lines.next(text);) {
    try {
      const Json line = parse_json(text, metrics.string());
      Json& of_kind = sums[line.at("kind").get<std::string>()];
      if (of_kind.is_null()) of_kind = {{"prompts", 0}, {"tokens", 0}, {"seconds", 0.0}};
      of_kind["prompts"] = of_kind["prompts"].get<int64_t>() + line.at("prompts").get<int64_t>();
      of_kind["tokens"] = of_kind["tokens"].get<int64_t>() + line.at("tokens").get<int64_t>();
      of_kind["seconds"] = of_kind["seconds"].get<double>() + line.at("seconds").get<double>();
    } catch (const Json::exception&) {
      throw DataError(concat(metrics.string(), ": line ", lines.number(),
                             ": expected a chunk of an evaluation, found another object"));
    }
  }
  return sums;
}

Json per(double seconds, size_t count) {
  return count == 0 ? Json(nullptr) : Json(seconds / static_cast<double>(count));
}

/// Those of distinct streams where a method writes them: the same edits asked in several languages
/// are written once.
size_t num_edits(const EvalInputs& inputs, const EvalQuestionnaire& asked) {
  std::set<size_t> written;
  for (const EditedWeights& weights : asked.edited) written.insert(weights.stream);
  size_t edits = 0;
  for (size_t stream = 0; stream < inputs.streams.size(); ++stream) {
    if (written.empty() || written.contains(stream)) edits += inputs.streams[stream].edits.size();
  }
  return edits;
}

}  // namespace

Json eval_cost(const EvalInputs& inputs, const EvalQuestionnaire& asked, const EvalResources& used,
               const std::filesystem::path& metrics) {
  const size_t edits = num_edits(inputs, asked);
  const Json answers = sums_of(metrics);
  double seconds = 0;
  for (const auto& [kind, sums] : answers.items()) seconds += sums["seconds"].get<double>();
  return {{"ranks", used.ranks},
          {"threads", used.threads},
          {"edits", edits},
          {"questions", asked.items.size()},
          {"preparation_seconds", used.preparation_seconds},
          {"state_bytes", used.state_bytes},
          {"peak_bytes", used.peak_bytes},
          {"baseline_bytes", used.baseline_bytes},
          {"answers", answers},
          {"seconds_per_edit", per(used.preparation_seconds, edits)},
          {"seconds_per_question", per(seconds, asked.items.size())}};
}

}  // namespace xkde::recipe
