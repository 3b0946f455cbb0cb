#include "stages/export/keys.h"

namespace xkde::recipe {

ExportStage ExportStage::parse(StrictMap map) {
  ExportStage stage;
  if (map.has("adapter")) {
    map.optional("path", stage.path);
  } else {
    map.required("path", stage.path);
  }
  map.optional("adapter", stage.adapter);
  map.optional("format", stage.format, kExportFormats);
  map.optional("dtype", stage.dtype, kDtypes);
  if (map.has("merge_into")) {
    MergeInto merge_into{};
    map.optional("merge_into", merge_into, kMergeInto);
    stage.merge_into = merge_into;
  }
  map.optional("gguf_type", stage.gguf_type, kGgufTypes);
  const bool is_gguf = stage.format == ExportFormat::kGguf;
  if (is_gguf && !map.has("path")) {
    map.add_error("format", "expected path beside format: gguf, found none");
  }
  if (is_gguf && map.has("dtype")) {
    map.add_error("dtype", "expected format: huggingface beside this key, found gguf");
  }
  if (!is_gguf && map.has("gguf_type")) {
    map.add_error("gguf_type", "expected format: gguf beside this key, found huggingface");
  }
  map.optional("memory", stage.memory);
  map.done();
  return stage;
}

Json ExportStage::keys() const {
  Json json = Json::object();
  if (!path.empty()) json["path"] = path.string();
  if (!adapter.empty()) json["adapter"] = adapter.string();
  if (format == ExportFormat::kGguf) {
    json["format"] = name_of(kExportFormats, format);
    json["gguf_type"] = name_of(kGgufTypes, gguf_type);
  } else {
    json["dtype"] = name_of(kDtypes, dtype);
  }
  if (merge_into) json["merge_into"] = name_of(kMergeInto, *merge_into);
  if (!memory.empty()) json["memory"] = memory.string();
  return json;
}

std::vector<NamedPath> ExportStage::outputs() const {
  std::vector<NamedPath> outputs;
  if (!path.empty()) outputs.push_back({"path", path});
  if (!adapter.empty()) outputs.push_back({"adapter", adapter});
  return outputs;
}

void ExportStage::check_inputs(InputChecker& inputs) const {
  if (!memory.empty()) inputs.opens("memory", memory, "an edit memory (xkde_dist ask --memory)");
}

std::set<std::filesystem::path> ExportStage::files() const {
  if (memory.empty()) return {};
  return {memory};
}

}  // namespace xkde::recipe
