#include "stages/report/easyedit_json.h"

#include <cstdint>
#include <utility>

#include "core/base/error.h"
#include "core/edit/edit_questions.h"
#include "core/io/file_reader.h"

namespace xkde::report {
namespace {

/// "portability.Reasoning" -> {"portability", "Reasoning_acc"}; EasyEdit writes its first kind of
/// portability in lower case, and the cross-lingual sets have one kind that it calls neighborhood
/// and one_hop.
std::pair<std::string, std::string> key_of(const std::string& metric) {
  const size_t dot = metric.find('.');
  const std::string group = metric.substr(0, dot);
  if (dot == std::string::npos)
    return {group, group == "locality" ? "neighborhood_acc" : "one_hop_acc"};
  const std::string kind = metric.substr(dot + 1);
  return {group, (kind == "Reasoning" ? "reasoning" : kind) + "_acc"};
}

/// EasyEdit knows no probes that are built.
bool is_known(const std::string& metric) {
  const auto known = value_of(kMetricNames, metric.substr(0, metric.find('.')));
  return !known || !is_built(*known);
}

void add(Json& post, const std::string& metric, double score) {
  if (metric == "reliability") {
    post["rewrite_acc"].push_back(score);
  } else if (metric == "generality") {
    post["rephrase_acc"].push_back(score);
  } else {
    const auto [group, kind] = key_of(metric);
    post[group][kind].push_back(score);
  }
}

}  // namespace

std::map<std::string, Json> easyedit_results(const std::filesystem::path& file) {
  std::map<std::string, Json> results;
  std::map<std::pair<std::string, int64_t>, size_t> places;
  LineReader lines(file, FileOrigin::kOwn);
  for (std::string line; lines.next(line);) {
    try {
      const Json row = Json::parse(line);
      const auto record = row.at("record").get<int64_t>();
      std::string name = row.at("mode").get<std::string>() + "_" +
                         std::to_string(row.at("size").get<int64_t>()) + "_" +
                         row.at("edit_language").get<std::string>() + "_" +
                         row.at("test_language").get<std::string>();
      if (row.contains("seed")) name += "_seed" + std::to_string(row["seed"].get<int64_t>());
      Json& list = results.emplace(name, Json::array()).first->second;
      const auto [place, is_new] = places.emplace(std::pair{name, record}, list.size());
      if (is_new) {
        list.push_back({{"case_id", record},
                        {"prompt", row.at("prompt")},
                        {"pre", Json::object()},
                        {"post", {{"locality", Json::object()}, {"portability", Json::object()}}}});
      }
      const auto metric = row.at("metric").get<std::string>();
      if (is_known(metric)) add(list[place->second]["post"], metric, row.at("score").get<double>());
    } catch (const Json::exception& error) {
      throw DataError(concat(file.string(), ": line ", lines.number(),
                             ": expected a prediction, found ", error.what()));
    }
  }
  return results;
}

}  // namespace xkde::report
