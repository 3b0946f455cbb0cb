#include "core/editing/editors/editors.h"

#include <utility>

#include "core/base/error.h"

namespace xkde {
namespace {

bool is_memit(EditorKind kind) {
  return kind == EditorKind::kMemit || kind == EditorKind::kMemitHistory ||
         kind == EditorKind::kEmmet || kind == EditorKind::kAlphaEdit;
}

bool has_one_layer(EditorKind kind, const ModelConfig& config) {
  switch (kind) {
    case EditorKind::kFtL:
    case EditorKind::kFtM:
    case EditorKind::kLocFtBf:
    case EditorKind::kRome:
    case EditorKind::kGrace:
    case EditorKind::kWise:
      return true;
    case EditorKind::kMemit:
    case EditorKind::kMemitHistory:
    case EditorKind::kEmmet:
    case EditorKind::kAlphaEdit:
      return norms_mlp_output(config);
    case EditorKind::kLora:
    case EditorKind::kUltraEdit:
      return false;
  }
  throw InternalError("editor: not one of the kinds");
}

void check_wise(const EditorSettings& settings) {
  const auto is_share = [](std::string_view key, double value) {
    XKDE_CHECK(value <= 1.0, ConfigError, "editor.", key, ": expected at most 1, found ", value);
  };
  is_share("mask_ratio", settings.mask_ratio);
  is_share("merge_density", settings.merge_density);
  XKDE_CHECK(settings.merge_edits % settings.shard_edits == 0, ConfigError,
             "editor.merge_edits: expected a multiple of shard_edits ", settings.shard_edits,
             ", found ", settings.merge_edits);
}

}  // namespace

void check_settings(EditorKind kind, const EditorSettings& settings, const Decoder& decoder) {
  const std::string_view name = name_of(kEditors, kind);
  const bool has_one_module = kind != EditorKind::kLora && kind != EditorKind::kUltraEdit;
  XKDE_CHECK(!has_one_module || settings.modules.size() == 1, ConfigError,
             "editor.modules: expected one module for ", name, ", found ", settings.modules.size());
  XKDE_CHECK(
      settings.refresh_every == 0 || settings.cov_weight > 0.0, ConfigError,
      "editor.refresh_every: expected editor.cov_weight above 0 beside it, found 0: what may "
      "change would be found from the edits alone");
  for (const ModuleLayers& module : settings.modules) {
    const std::vector<int64_t>& layers = module.layers;
    XKDE_CHECK(layers.size() == 1 || !has_one_layer(kind, decoder.config()), ConfigError,
               "editor.layers: expected one layer for ", name,
               is_memit(kind) ? " in a model that norms the output of its MLPs" : "", ", found ",
               layers.size());
    for (size_t i = 0; i < layers.size(); ++i) {
      XKDE_CHECK(i == 0 || layers[i - 1] < layers[i], ConfigError,
                 "editor.layers: expected layers in ascending order, found ", layers[i], " behind ",
                 layers[i - 1]);
      const MatrixPlace matrix = find_matrix(decoder, layers[i], module.module, "editor.layers");
      const EditorEntry& entry = entry_of(kEditors, kind);
      XKDE_CHECK((!entry.needs_subject && !entry.looks_up) || matrix.role == TensorRole::kDown,
                 ConfigError, "editor.modules: expected down_proj for ", name, ", found ",
                 module.module);
    }
  }
  if (kind == EditorKind::kWise) check_wise(settings);
}

std::unique_ptr<Editor> make_editor(EditorKind kind, const EditableModel& model,
                                    EditorParts parts) {
  check_settings(kind, parts.settings, model.decoder);
  switch (kind) {
    case EditorKind::kFtL:
    case EditorKind::kFtM:
    case EditorKind::kLocFtBf:
      return make_tuned_matrix(kind, model, std::move(parts));
    case EditorKind::kLora:
      return make_lora_editor(model, std::move(parts));
    case EditorKind::kRome:
      return make_rome(model, std::move(parts));
    case EditorKind::kMemit:
    case EditorKind::kMemitHistory:
    case EditorKind::kEmmet:
    case EditorKind::kAlphaEdit:
      return make_memit(kind, model, std::move(parts));
    case EditorKind::kUltraEdit:
      return make_ultraedit(model, std::move(parts));
    case EditorKind::kGrace:
      return make_grace(model, std::move(parts));
    case EditorKind::kWise:
      return make_wise(model, std::move(parts));
  }
  throw InternalError("editor: not one of the kinds");
}

}  // namespace xkde
