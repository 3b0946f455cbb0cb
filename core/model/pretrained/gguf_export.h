#ifndef XKDE_CORE_MODEL_PRETRAINED_GGUF_EXPORT_H_
#define XKDE_CORE_MODEL_PRETRAINED_GGUF_EXPORT_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/families/family.h"
#include "core/model/pretrained/export.h"

namespace xkde {

/// What the matrices of a GGUF file are stored in; vectors are fp32.
enum class GgufType { kF32, kBF16, kQ8_0, kQ4_0, kQ4_K_M };
struct GgufTypeEntry {
  std::string_view name;  ///< in recipes and on the command line
  GgufType value;
  std::string_view tensors;  ///< the type of most matrices
  int64_t file_type;         ///< `general.file_type`
};
inline constexpr GgufTypeEntry kGgufTypes[] = {{"F32", GgufType::kF32, "F32", 0},
                                               {"BF16", GgufType::kBF16, "BF16", 32},
                                               {"Q8_0", GgufType::kQ8_0, "Q8_0", 7},
                                               {"Q4_0", GgufType::kQ4_0, "Q4_0", 2},
                                               {"Q4_K_M", GgufType::kQ4_K_M, "Q4_K", 15}};

/// The type in the file of one of the model's tensors, as llama.cpp's `quantize` chooses: vectors
/// are fp32; in Q4_0 and Q4_K_M the output matrix, which may be the embedding, is Q6_K; in Q4_K_M
/// values and `down` are Q6_K in the first and the last eighth of the blocks and in every third
/// between, Phi-3's joined projection is Q5_K, and so are values of a Llama of 80 blocks. Where
/// rows are no whole blocks of 256, Q5_0, Q5_1 and Q8_0 stand for Q4_K, Q5_K and Q6_K.
std::string_view gguf_tensor_type(const ModelConfig& config, const UnitTensor& tensor,
                                  GgufType type);

/// Throws ConfigError, with the way out, where no GGUF file of this type describes the model: its
/// family has no name there, no key says what its config does, its tokenizer is another kind, or
/// rows are no whole blocks. Warns of what the file will not say of the tokenizer. Writes a small
/// file to the system's folder of temporary files and removes it.
void check_gguf_export(const ExportedModel& model, GgufType type);

/// Writes `path`, a GGUF file of the model with its tokenizer and chat template, whole and durable
/// on return. `read_f32(name, out)` gives each tensor under its Hugging Face name. Throws as
/// check_gguf_export(); NumericError that names the tensor where a weight is not finite or would
/// not be in `type`; IoError.
void export_gguf(const std::filesystem::path& path, const ExportedModel& model, GgufType type,
                 const std::function<void(const std::string&, std::span<float>)>& read_f32);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_PRETRAINED_GGUF_EXPORT_H_
