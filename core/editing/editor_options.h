#ifndef XKDE_CORE_EDITING_EDITOR_OPTIONS_H_
#define XKDE_CORE_EDITING_EDITOR_OPTIONS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/named.h"
#include "core/io/json_file.h"
#include "core/model/families/model_config.h"

namespace xkde {

/// The methods that write edits into weights or beside them (docs/decisions/0009-editors.md).
enum class EditorKind {
  kFtL,
  kFtM,
  kLocFtBf,
  kLora,
  kRome,
  kMemit,
  kMemitHistory,
  kEmmet,
  kAlphaEdit,
  kUltraEdit,
  kGrace,
  kWise
};

/// What there is to say about an editor before it runs.
struct EditorEntry {
  std::string_view name;  ///< as recipes and result rows write it
  EditorKind value;
  bool needs_subject = false;  ///< writes at the subject's last token
  bool needs_moments = false;  ///< solves with the second moments of its layers
  bool remembers = false;      ///< what it writes depends on the edits before
  bool looks_up = false;       ///< leaves the weights as they are; questions look its edits up
  bool uses_contexts = needs_subject;  ///< writes a request in several contexts
  /// Each request of a batch is written into what those before it left, not all into the same.
  bool one_by_one = false;
};
inline constexpr EditorEntry kEditors[] = {
    {"ft_l", EditorKind::kFtL},
    {"ft_m", EditorKind::kFtM},
    {"locft_bf", EditorKind::kLocFtBf},
    {"lora", EditorKind::kLora},
    {.name = "rome", .value = EditorKind::kRome, .needs_subject = true, .one_by_one = true},
    {"memit", EditorKind::kMemit, true, true},
    {"memit_history", EditorKind::kMemitHistory, true, true, true},
    {"emmet", EditorKind::kEmmet, true, true},
    {"alphaedit", EditorKind::kAlphaEdit, true, true, true},
    {"ultraedit", EditorKind::kUltraEdit, false, false, true},
    {"grace", EditorKind::kGrace, false, false, true, true},
    {"wise", EditorKind::kWise, false, false, true, true, true},
};

/// The models whose hyper-parameters the authors published; `auto` takes those of the nearest.
enum class EditorPreset { kLlama2, kLlama3, kQwen25 };
inline constexpr Named<EditorPreset> kEditorPresetNames[] = {{"llama2-7b", EditorPreset::kLlama2},
                                                             {"llama3-8b", EditorPreset::kLlama3},
                                                             {"qwen2.5-7b", EditorPreset::kQwen25}};

/// Layers of one module.
struct ModuleLayers {
  std::string module;  ///< "down_proj"
  std::vector<int64_t> layers;
};

/// With what an editor works: every number that its formulas name. Those that its kind does not
/// look at say nothing.
struct EditorSettings {
  std::vector<ModuleLayers> modules;
  double learning_rate = 0.0;
  int64_t steps = 0;
  double stop_loss = 0.0;
  double weight_decay = 0.0;
  double clamp_norm = 0.0;
  double kl_factor = 0.0;
  double cov_weight = 0.0;
  double emmet_lambda = 0.0;
  double null_threshold = 0.0;
  double l2 = 0.0;
  double ridge = 0.0;
  double norm_limit = 0.0;  ///< 0: none
  int64_t epochs = 0;
  int64_t batch_size = 0;     ///< requests of one update
  int64_t anchor_edits = 0;   ///< 0: values are not scaled
  int64_t refresh_every = 0;  ///< edits; 0: never
  int64_t lora_r = 0;
  double lora_alpha = 0.0;
  bool whiten = false;
  double radius = 0.0;
  double mask_ratio = 0.0;
  double margin_out = 0.0;
  double margin_in = 0.0;
  double margin_between = 0.0;
  double route_ratio = 0.0;
  double merge_density = 0.0;
  int64_t shard_edits = 0;
  int64_t merge_edits = 0;

  /// The layers of the only module. Throws InternalError where there are several.
  const std::vector<int64_t>& layers() const;
};

/// The keys of `editor:`. What is not there comes from the preset.
struct EditorOptions {
  std::optional<EditorPreset> preset;  ///< nothing: auto
  std::optional<std::vector<int64_t>> layers;
  std::optional<std::vector<std::string>> modules;
  std::optional<double> learning_rate, stop_loss, weight_decay, clamp_norm, kl_factor, cov_weight,
      emmet_lambda, null_threshold, l2, ridge, norm_limit, lora_alpha, radius, mask_ratio,
      margin_out, margin_in, margin_between, route_ratio, merge_density;
  std::optional<int64_t> steps, epochs, batch_size, anchor_edits, refresh_every, lora_r,
      shard_edits, merge_edits;
  std::optional<bool> whiten;
  std::vector<std::string> context_templates;  ///< empty: those that the model makes
  std::vector<std::string> unrelated;          ///< prompts of `wise`; empty: ours
  std::filesystem::path covariance;            ///< a file; empty: that of the stage before
  std::string chat_template = "plain";
  int64_t batch = 1;                    ///< requests of a stream that are written together; ours
  int64_t max_tokens_per_batch = 1024;  ///< rows of one pass; ours
};

/// A number or a switch of the editors' formulas: its key, and the kinds that look at it.
template <typename T>
struct EditorNumber {
  std::string_view key;
  std::optional<T> EditorOptions::*option;
  T EditorSettings::*setting;
  uint32_t kinds;  ///< a bit for each
  bool may_be_zero = false;
  uint32_t zero_kinds = 0;  ///< of which it may be zero where it may not of others

  bool is_of(EditorKind kind) const { return (kinds >> static_cast<uint32_t>(kind) & 1U) != 0; }
  bool may_be_zero_of(EditorKind kind) const {
    return may_be_zero || (zero_kinds >> static_cast<uint32_t>(kind) & 1U) != 0;
  }
};

template <typename... Kinds>
constexpr uint32_t bits_of(Kinds... kinds) {
  return ((1U << static_cast<uint32_t>(kinds)) | ...);
}
inline constexpr uint32_t kTunedKinds =
    bits_of(EditorKind::kFtL, EditorKind::kFtM, EditorKind::kLocFtBf);
inline constexpr uint32_t kValueKinds =
    bits_of(EditorKind::kRome, EditorKind::kMemit, EditorKind::kMemitHistory, EditorKind::kEmmet,
            EditorKind::kAlphaEdit);
/// Those that write value vectors by least squares.
inline constexpr uint32_t kSolvingKinds = kValueKinds & ~bits_of(EditorKind::kRome);
inline constexpr uint32_t kLoraKind = bits_of(EditorKind::kLora);
inline constexpr uint32_t kEpochKind = bits_of(EditorKind::kLocFtBf);
inline constexpr uint32_t kGraceKind = bits_of(EditorKind::kGrace);
inline constexpr uint32_t kWiseKind = bits_of(EditorKind::kWise);

/// All of them, in the order of docs/recipes.md.
inline constexpr EditorNumber<int64_t> kEditorCounts[] = {
    {"steps", &EditorOptions::steps, &EditorSettings::steps,
     (kTunedKinds & ~kEpochKind) | kValueKinds | kLoraKind | kGraceKind | kWiseKind},
    {"epochs", &EditorOptions::epochs, &EditorSettings::epochs, kEpochKind},
    {"batch_size", &EditorOptions::batch_size, &EditorSettings::batch_size,
     kTunedKinds | kLoraKind},
    {"anchor_edits", &EditorOptions::anchor_edits, &EditorSettings::anchor_edits, kSolvingKinds,
     true},
    {"refresh_every", &EditorOptions::refresh_every, &EditorSettings::refresh_every,
     bits_of(EditorKind::kAlphaEdit), true},
    {"lora_r", &EditorOptions::lora_r, &EditorSettings::lora_r, kLoraKind},
    {"shard_edits", &EditorOptions::shard_edits, &EditorSettings::shard_edits, kWiseKind},
    {"merge_edits", &EditorOptions::merge_edits, &EditorSettings::merge_edits, kWiseKind},
};
inline constexpr EditorNumber<double> kEditorNumbers[] = {
    {"learning_rate", &EditorOptions::learning_rate, &EditorSettings::learning_rate, ~0U},
    {"stop_loss", &EditorOptions::stop_loss, &EditorSettings::stop_loss,
     kTunedKinds | kValueKinds | kLoraKind | kGraceKind | kWiseKind, true},
    {"norm_limit", &EditorOptions::norm_limit, &EditorSettings::norm_limit, kTunedKinds | kWiseKind,
     true},
    {"weight_decay", &EditorOptions::weight_decay, &EditorSettings::weight_decay,
     kValueKinds | kWiseKind, true},
    {"clamp_norm", &EditorOptions::clamp_norm, &EditorSettings::clamp_norm, kValueKinds},
    {"kl_factor", &EditorOptions::kl_factor, &EditorSettings::kl_factor, kValueKinds, true},
    {"cov_weight", &EditorOptions::cov_weight, &EditorSettings::cov_weight,
     bits_of(EditorKind::kMemit, EditorKind::kMemitHistory, EditorKind::kAlphaEdit), false,
     bits_of(EditorKind::kAlphaEdit)},
    {"emmet_lambda", &EditorOptions::emmet_lambda, &EditorSettings::emmet_lambda,
     bits_of(EditorKind::kEmmet)},
    {"null_threshold", &EditorOptions::null_threshold, &EditorSettings::null_threshold,
     bits_of(EditorKind::kAlphaEdit)},
    {"l2", &EditorOptions::l2, &EditorSettings::l2, bits_of(EditorKind::kAlphaEdit)},
    {"ridge", &EditorOptions::ridge, &EditorSettings::ridge, bits_of(EditorKind::kUltraEdit)},
    {"lora_alpha", &EditorOptions::lora_alpha, &EditorSettings::lora_alpha, kLoraKind},
    {"radius", &EditorOptions::radius, &EditorSettings::radius, kGraceKind},
    {"mask_ratio", &EditorOptions::mask_ratio, &EditorSettings::mask_ratio, kWiseKind},
    {"margin_out", &EditorOptions::margin_out, &EditorSettings::margin_out, kWiseKind, true},
    {"margin_in", &EditorOptions::margin_in, &EditorSettings::margin_in, kWiseKind, true},
    {"margin_between", &EditorOptions::margin_between, &EditorSettings::margin_between, kWiseKind,
     true},
    {"route_ratio", &EditorOptions::route_ratio, &EditorSettings::route_ratio, kWiseKind, true},
    {"merge_density", &EditorOptions::merge_density, &EditorSettings::merge_density, kWiseKind},
};
inline constexpr EditorNumber<bool> kEditorSwitches[] = {
    {"whiten", &EditorOptions::whiten, &EditorSettings::whiten, bits_of(EditorKind::kUltraEdit)},
};

/// Whether the blocks of the model norm what down_proj gives before they add it.
bool norms_mlp_output(const ModelConfig& config);

/// The settings of a model. Layers of a preset are scaled: of l of N to round(l n / N) of n; where
/// norms_mlp_output(), MEMIT and its kind have the last of them alone.
EditorSettings editor_settings(EditorKind kind, const EditorOptions& options,
                               const ModelConfig& config);
/// Modules with their layers, and the numbers and switches that the kind looks at, by their keys.
Json settings_json(EditorKind kind, const EditorSettings& settings);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_EDITOR_OPTIONS_H_
