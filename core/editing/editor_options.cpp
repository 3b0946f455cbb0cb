#include "core/editing/editor_options.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/model/families/family.h"

namespace xkde {
namespace {

constexpr std::string_view kDown = "down_proj";

std::vector<int64_t> range(int64_t first, int64_t last) {
  std::vector<int64_t> layers;
  for (int64_t layer = first; layer <= last; ++layer) layers.push_back(layer);
  return layers;
}

/// Protocol 7.2 and, of newer methods, their authors' settings.
std::vector<ModuleLayers> preset_modules(EditorKind kind, EditorPreset preset) {
  const bool is_qwen = preset == EditorPreset::kQwen25;
  switch (kind) {
    case EditorKind::kFtL:
    case EditorKind::kFtM:
      return {{std::string(kDown), {is_qwen ? 27 : 21}}};
    case EditorKind::kLocFtBf:
      return {{std::string(kDown), {is_qwen ? 6 : 22}}};
    case EditorKind::kLora:
      return {{"q_proj", range(0, is_qwen ? 27 : 31)}, {"v_proj", range(0, is_qwen ? 27 : 31)}};
    case EditorKind::kRome:
    case EditorKind::kEmmet:
      return {{std::string(kDown), {5}}};
    case EditorKind::kMemit:
    case EditorKind::kMemitHistory:
    case EditorKind::kAlphaEdit:
      return {{std::string(kDown), range(4, 8)}};
    case EditorKind::kUltraEdit:
      if (is_qwen) return {{"gate_proj", range(18, 26)}, {"up_proj", range(18, 26)}};
      return {{"gate_proj", range(11, 15)}, {"up_proj", range(18, 24)}};
    case EditorKind::kGrace:
      return {{std::string(kDown), {is_qwen ? 18 : 27}}};
    case EditorKind::kWise:
      return {{std::string(kDown), {is_qwen ? 23 : preset == EditorPreset::kLlama3 ? 29 : 27}}};
  }
  throw InternalError("editor: not one of the kinds");
}

int64_t layers_of(EditorPreset preset) { return preset == EditorPreset::kQwen25 ? 28 : 32; }

void publish_wise(EditorSettings& all, EditorPreset preset) {
  const bool is_llama3 = preset == EditorPreset::kLlama3;
  all.learning_rate = is_llama3 ? 0.9 : 1.0;
  all.steps = is_llama3 ? 30 : 70;
  all.stop_loss = 0.02;
  all.weight_decay = 1e-5;
  all.norm_limit = 1.0;
  all.mask_ratio = 0.2;
  all.margin_out = is_llama3 ? 2.0 : 5.0;
  all.margin_in = 20.0;
  all.margin_between = 10.0;
  all.route_ratio = is_llama3 ? 0.5 : 0.88;
  all.shard_edits = 500;
  all.merge_edits = 1000;
  all.merge_density = 0.53;
}

/// What the authors published, but for layers.
EditorSettings published(EditorKind kind, EditorPreset preset) {
  EditorSettings all;
  all.modules = preset_modules(kind, preset);
  const bool is_llama2 = preset == EditorPreset::kLlama2;
  const bool is_alpha = kind == EditorKind::kAlphaEdit;
  // AlphaEdit's own values are those with which newer papers run the whole MEMIT family.
  const bool is_gentle = is_alpha || (!is_llama2 && kind != EditorKind::kRome);
  all.learning_rate = is_gentle ? 0.1 : 0.5;
  all.steps = 25;
  all.stop_loss = 0.05;
  all.weight_decay = is_gentle ? 0.5 : 1e-3;
  all.clamp_norm = is_gentle ? 0.75 : 4.0;
  all.kl_factor = 0.0625;
  all.cov_weight = is_alpha ? 0.0 : 15000.0;
  all.emmet_lambda = 0.1;
  all.null_threshold = 2e-2;
  all.l2 = 10.0;
  all.ridge = 1.0;
  all.batch_size = 100;
  switch (kind) {
    case EditorKind::kFtL:
    case EditorKind::kFtM:
      all.learning_rate = 5e-4;
      all.stop_loss = 1e-2;
      break;
    case EditorKind::kLocFtBf:
      all.learning_rate = 5e-4;
      all.stop_loss = 1e-2;
      all.epochs = 25;
      break;
    case EditorKind::kLora:
      all.learning_rate = 5e-3;
      all.steps = preset == EditorPreset::kQwen25 ? 60 : 70;
      all.stop_loss = 1e-2;
      all.lora_r = 8;
      all.lora_alpha = 32.0;
      break;
    case EditorKind::kUltraEdit:
      all.learning_rate = 1e-6;
      break;
    case EditorKind::kGrace:
      all.learning_rate = 1.0;
      all.steps = 50;
      all.stop_loss = all.weight_decay = all.clamp_norm = all.kl_factor = 0.0;
      all.radius = 1.0;
      break;
    case EditorKind::kWise:
      publish_wise(all, preset);
      break;
    default:
      break;
  }
  return all;
}

EditorPreset nearest_preset(const ModelConfig& config) {
  return config.family->model_type.starts_with("qwen") ? EditorPreset::kQwen25
                                                       : EditorPreset::kLlama2;
}

void scale_layers(std::vector<ModuleLayers>& modules, int64_t from, int64_t to) {
  for (ModuleLayers& module : modules) {
    for (int64_t& layer : module.layers) {
      const double place = static_cast<double>(layer * to) / static_cast<double>(from);
      layer = std::min(static_cast<int64_t>(std::lround(place)), to - 1);
    }
    // Neighbours may fall together.
    module.layers.erase(std::unique(module.layers.begin(), module.layers.end()),
                        module.layers.end());
  }
}

}  // namespace

const std::vector<int64_t>& EditorSettings::layers() const {
  XKDE_CHECK(modules.size() == 1, InternalError, "editor: expected one module, found ",
             modules.size());
  return modules.front().layers;
}

bool norms_mlp_output(const ModelConfig& config) {
  return std::ranges::any_of(config.family->block, [](const TensorSpec& tensor) {
    return tensor.role == TensorRole::kDownNorm;
  });
}

EditorSettings editor_settings(EditorKind kind, const EditorOptions& options,
                               const ModelConfig& config) {
  const EditorPreset preset = options.preset.value_or(nearest_preset(config));
  EditorSettings all = published(kind, preset);
  scale_layers(all.modules, layers_of(preset), config.num_hidden_layers);
  const bool spreads =
      bits_of(EditorKind::kMemit, EditorKind::kMemitHistory, EditorKind::kAlphaEdit) >>
          static_cast<uint32_t>(kind) &
      1U;
  if (spreads && norms_mlp_output(config)) {
    std::vector<int64_t>& layers = all.modules.front().layers;
    layers = {layers.back()};
  }
  if (options.modules) {
    const std::vector<int64_t> layers = all.modules.front().layers;
    all.modules.clear();
    for (const std::string& module : *options.modules) all.modules.push_back({module, layers});
  }
  if (options.layers) {
    for (ModuleLayers& module : all.modules) module.layers = *options.layers;
  }
  const auto take = [&](const auto& numbers) {
    for (const auto& number : numbers) {
      if (options.*number.option) all.*number.setting = *(options.*number.option);
    }
  };
  take(kEditorCounts);
  take(kEditorNumbers);
  take(kEditorSwitches);
  return all;
}

Json settings_json(EditorKind kind, const EditorSettings& settings) {
  Json json = Json::object();
  Json& modules = json["modules"] = Json::object();
  for (const ModuleLayers& module : settings.modules) modules[module.module] = module.layers;
  const auto put = [&](const auto& numbers) {
    for (const auto& number : numbers) {
      if (number.is_of(kind)) json[std::string(number.key)] = settings.*number.setting;
    }
  };
  put(kEditorCounts);
  put(kEditorNumbers);
  put(kEditorSwitches);
  return json;
}

}  // namespace xkde
