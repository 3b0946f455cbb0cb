#ifndef XKDE_STAGES_EXPORT_KEYS_H_
#define XKDE_STAGES_EXPORT_KEYS_H_

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/base/dtype.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// `export:` the model as a Hugging Face folder.
struct ExportStage final : Stage {
  static constexpr std::string_view kName = "export";

  std::filesystem::path path;
  Dtype dtype = Dtype::kBFloat16;  ///< of the weights written, as the paper's models
  std::filesystem::path memory;    ///< ours: an edit memory to go with them; empty: none

  static ExportStage parse(StrictMap map);

  std::string_view name() const override { return kName; }
  Json keys() const override;
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  std::optional<NamedPath> output() const override { return NamedPath{"path", path}; }
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EXPORT_KEYS_H_
