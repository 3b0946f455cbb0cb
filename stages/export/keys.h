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
#include "core/model/pretrained/gguf_export.h"
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

/// What the model is written as.
enum class ExportFormat { kHuggingFace, kGguf };
inline constexpr Named<ExportFormat> kExportFormats[] = {
    {"huggingface", ExportFormat::kHuggingFace}, {"gguf", ExportFormat::kGguf}};

/// The bytes that a size says as transformers writes it: "5GB" and "200MB" are of thousands,
/// "5GiB" of 1024s, in letters of either case; a number alone is bytes. Nothing where it is no such
/// size, or none above 0.
std::optional<int64_t> size_in_bytes(std::string_view text);

/// `export:` the model as a Hugging Face folder or a GGUF file in a folder, its adapter merged in,
/// or the adapter alone, or both.
struct ExportStage final : Stage {
  static constexpr std::string_view kName = "export";

  std::filesystem::path path;     ///< of the model; empty: only the adapter is written
  std::filesystem::path adapter;  ///< ours: a PEFT folder; empty: none is written
  ExportFormat format = ExportFormat::kHuggingFace;  ///< ours
  Dtype dtype = Dtype::kBFloat16;  ///< of a folder's weights, as the paper's models
  /// As save_pretrained() of transformers takes it: a file of weights has no more bytes, unless one
  /// tensor does.
  std::string max_shard_size = "5GB";
  GgufType gguf_type = GgufType::kBF16;  ///< ours: of a GGUF file's matrices
  /// ours: what an adapter of a quantized base becomes part of; nothing: it must not
  std::optional<MergeInto> merge_into;
  std::filesystem::path memory;  ///< ours: an edit memory to go with them; empty: none

  void each_key(StrictMap map);
  bool writes_gguf() const { return !path.empty() && format == ExportFormat::kGguf; }

  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  std::vector<NamedPath> outputs() const override;
  bool merges_into_any() const override { return !path.empty() && !merge_into; }
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EXPORT_KEYS_H_
