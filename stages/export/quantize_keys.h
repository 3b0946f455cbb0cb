#ifndef XKDE_STAGES_EXPORT_QUANTIZE_KEYS_H_
#define XKDE_STAGES_EXPORT_QUANTIZE_KEYS_H_

#include <string_view>

#include "core/model/pretrained/gguf_export.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// `quantize:` rounds the weights, so that the stages below work with what a GGUF file would hold.
/// All of it ours.
struct QuantizeStage final : Stage {
  static constexpr std::string_view kName = "quantize";

  GgufType type = GgufType::kQ8_0;  ///< of the matrices

  void each_key(StrictMap map);

  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  void check_inputs(InputChecker& /*inputs*/) const override {}
  bool changes_model() const override { return true; }
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EXPORT_QUANTIZE_KEYS_H_
