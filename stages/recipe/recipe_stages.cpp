#include "stages/recipe/recipe_stages.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/data/benchmarks/knowedit.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kQuestions[] = {"src", "rephrase", "loc", "portability"};
constexpr std::string_view kSampleFormats[] = {"ours", "xeit_v2"};
constexpr std::string_view kTruncations[] = {"end", "proportional"};
constexpr std::string_view kDtypes[] = {"float32", "bfloat16"};

Json to_json(const BuildDataStage& stage) {
  Json sources = Json::array();
  for (const BuildDataSource& source : stage.sources) {
    Json json = to_json(static_cast<const EditSelection&>(source));
    if (!stage.quadrants) json["questions"] = source.questions;
    sources.push_back(std::move(json));
  }
  Json json{{"sources", std::move(sources)}};
  if (stage.quadrants) {
    json["quadrants"] = to_json(*stage.quadrants);
  } else {
    json["without_edit"] = stage.without_edit;
  }
  json["max_samples"] = stage.max_samples;
  for (const ExcludedData& excluded : stage.exclude) json["exclude"].push_back(to_json(excluded));
  return json;
}

Json to_json(const SftStage& stage) {
  Json json{{"train_data", stage.train_data}};
  stage.write(json);
  json["labelled_head"] = stage.labelled_head;
  json["sample_format"] = stage.sample_format;
  // The other format has no such choice.
  if (stage.sample_format == "ours") json["train_on_end_of_turn"] = stage.train_on_end_of_turn;
  json["max_length"] = stage.max_length;
  json["truncation"] = stage.truncation;
  json["keep_best"] = stage.keep_best;
  return json;
}

Json to_json(const ExportStage& stage) {
  Json json{{"path", stage.path.string()}, {"dtype", stage.dtype}};
  if (!stage.memory.empty()) json["memory"] = stage.memory.string();
  return json;
}

}  // namespace

const Names kDtypeNames{kDtypes};

BuildDataSource BuildDataSource::parse(StrictMap map, bool has_quadrants) {
  BuildDataSource source;
  source.read(map, kSourceNames);
  map.optional("questions", source.questions, Names{kQuestions});
  if (has_quadrants && map.has("questions"))
    map.add_error("questions", "expected this key only without build_data.quadrants, found both");
  if (is_knowedit_name(source.benchmark) && !has_quadrants)
    map.add_error("benchmark", "expected build_data.quadrants beside " + source.benchmark +
                                   ", found no such key");
  map.done();
  return source;
}

BuildDataStage BuildDataStage::parse(StrictMap map) {
  BuildDataStage stage;
  const bool has_quadrants = map.has("quadrants");
  for (StrictMap& source : map.maps("sources"))
    stage.sources.push_back(BuildDataSource::parse(std::move(source), has_quadrants));
  StrictMap quadrants = map.map("quadrants");
  if (has_quadrants) stage.quadrants = QuadrantKeys::parse(std::move(quadrants));
  if (has_quadrants && map.has("without_edit"))
    map.add_error("without_edit",
                  "expected this key only without build_data.quadrants, found both");
  map.optional("without_edit", stage.without_edit);
  map.optional("max_samples", stage.max_samples, kNotNegative);
  if (map.has("exclude")) {
    for (StrictMap& excluded : map.maps("exclude"))
      stage.exclude.push_back(ExcludedData::parse(std::move(excluded)));
  }
  map.done();
  return stage;
}

SftStage SftStage::parse(StrictMap map) {
  SftStage stage;
  map.optional("train_data", stage.train_data);
  stage.read(map);
  map.optional("labelled_head", stage.labelled_head);
  map.optional("sample_format", stage.sample_format, Names{kSampleFormats});
  map.optional("train_on_end_of_turn", stage.train_on_end_of_turn);
  if (stage.sample_format != "ours" && map.has("train_on_end_of_turn"))
    map.add_error("train_on_end_of_turn",
                  "expected sample_format: ours beside this key, found " + stage.sample_format);
  map.optional("max_length", stage.max_length, kPositive);
  map.optional("truncation", stage.truncation, Names{kTruncations});
  map.optional("keep_best", stage.keep_best);
  map.done();
  return stage;
}

ExportStage ExportStage::parse(StrictMap map) {
  ExportStage stage;
  map.required("path", stage.path);
  map.optional("dtype", stage.dtype, kDtypeNames);
  map.optional("memory", stage.memory);
  map.done();
  return stage;
}

std::vector<std::string> stage_names() {
  return {"build_data", "sft", "sample", "rank", "orpo", "evaluate", "export"};
}

std::string stage_name(const Stage& stage) { return stage_names().at(stage.index()); }

const TrainKeys* train_keys(const Stage& stage) {
  if (const auto* sft = std::get_if<SftStage>(&stage)) return sft;
  return std::get_if<OrpoStage>(&stage);
}

Json stage_json(const Stage& stage) {
  return std::visit([](const auto& one) { return to_json(one); }, stage);
}

}  // namespace xkde::recipe
