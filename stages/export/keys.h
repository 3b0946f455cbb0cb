#ifndef XKDE_STAGES_EXPORT_KEYS_H_
#define XKDE_STAGES_EXPORT_KEYS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/named.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// The weights that an adapter is merged into, where it was trained over quantized ones.
enum class MergeInto : int8_t {
  kFullPrecision,  ///< those of the model's files, before the run quantized them
  kDequantized,    ///< those that it was trained over
};
inline constexpr Named<MergeInto> kMergeInto[] = {{"full_precision", MergeInto::kFullPrecision},
                                                  {"dequantized", MergeInto::kDequantized}};

/// `export:` the model as a Hugging Face folder, its adapter merged in, or the adapter alone, or
/// both.
struct ExportStage final : Stage {
  static constexpr std::string_view kName = "export";

  std::filesystem::path path;      ///< of the model; empty: only the adapter is written
  std::filesystem::path adapter;   ///< ours: a PEFT folder; empty: none is written
  Dtype dtype = Dtype::kBFloat16;  ///< of the weights written, as the paper's models
  /// ours: what an adapter of a quantized base becomes part of; nothing: it must not
  std::optional<MergeInto> merge_into;
  std::filesystem::path memory;  ///< ours: an edit memory to go with them; empty: none

  static ExportStage parse(StrictMap map);

  std::string_view name() const override { return kName; }
  Json keys() const override;
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  std::vector<NamedPath> outputs() const override;
  bool merges_into_any() const override { return !path.empty() && !merge_into; }
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EXPORT_KEYS_H_
