#include "stages/export/keys.h"

namespace xkde::recipe {

ExportStage ExportStage::parse(StrictMap map) {
  ExportStage stage;
  map.required("path", stage.path);
  map.optional("dtype", stage.dtype, kDtypes);
  map.optional("memory", stage.memory);
  map.done();
  return stage;
}

Json ExportStage::keys() const {
  Json json{{"path", path.string()}, {"dtype", name_of(kDtypes, dtype)}};
  if (!memory.empty()) json["memory"] = memory.string();
  return json;
}

void ExportStage::check_inputs(InputChecker& inputs) const {
  if (!memory.empty()) inputs.opens("memory", memory, "an edit memory (xkde_dist ask --memory)");
}

std::set<std::filesystem::path> ExportStage::files() const {
  if (memory.empty()) return {};
  return {memory};
}

}  // namespace xkde::recipe
