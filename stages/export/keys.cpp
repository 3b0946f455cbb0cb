#include "stages/export/keys.h"

namespace xkde::recipe {

void ExportStage::each_key(StrictMap map) {
  if (map.reads() && !map.has("adapter")) {
    map.required("path", path);
  } else {
    map.written_if(!path.empty(), "path", path);
  }
  map.written_if(!adapter.empty(), "adapter", adapter);
  map.written_if(format == ExportFormat::kGguf, "format", format, kExportFormats);
  const bool is_gguf = format == ExportFormat::kGguf;
  map.written_if(is_gguf, "gguf_type", gguf_type, kGgufTypes);
  map.written_if(!is_gguf, "dtype", dtype, kDtypes);
  if (map.asks("merge_into", merge_into)) map.optional("merge_into", *merge_into, kMergeInto);
  if (map.reads() && is_gguf && !map.has("path")) {
    map.add_error("format", "expected path beside format: gguf, found none");
  }
  if (is_gguf && map.has("dtype")) {
    map.add_error("dtype", "expected format: huggingface beside this key, found gguf");
  }
  if (!is_gguf && map.has("gguf_type")) {
    map.add_error("gguf_type", "expected format: gguf beside this key, found huggingface");
  }
  map.written_if(!memory.empty(), "memory", memory);
  map.done();
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
