#ifndef XKDE_STAGES_EXPORT_KEYS_H_
#define XKDE_STAGES_EXPORT_KEYS_H_

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// `export:` the model as a Hugging Face folder, its adapter merged in, or the adapter alone, or
/// both.
struct ExportStage final : Stage {
  static constexpr std::string_view kName = "export";

  std::filesystem::path path;      ///< of the model; empty: only the adapter is written
  std::filesystem::path adapter;   ///< ours: a PEFT folder; empty: none is written
  Dtype dtype = Dtype::kBFloat16;  ///< of the weights written, as the paper's models
  std::filesystem::path memory;    ///< ours: an edit memory to go with them; empty: none

  static ExportStage parse(StrictMap map);

  std::string_view name() const override { return kName; }
  Json keys() const override;
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  std::vector<NamedPath> outputs() const override;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EXPORT_KEYS_H_
