#ifndef XKDE_CORE_MODEL_PRETRAINED_GGUF_ROPE_H_
#define XKDE_CORE_MODEL_PRETRAINED_GGUF_ROPE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/io/gguf.h"
#include "core/io/json_file.h"
#include "core/io/writers/gguf_writer.h"
#include "core/model/families/model_config.h"

namespace xkde {

/// Adds to `json`, a config.json whose sizes and rope_theta are there, how a GGUF file scales its
/// rotations: by the keys `rope.scaling.*`, by a tensor rope_freqs.weight (Llama 3.1 and later) or
/// by two tensors rope_factors_{short,long}.weight (Phi-3). The numbers behind rope_freqs.weight
/// are found again, so that an export has them. Throws DataError where none give the tensor.
void read_gguf_rope(const GgufFile& file, Json& json);

/// Whether the tensor only says how rotations scale.
bool is_gguf_rope_tensor(std::string_view name);

/// The other way: the keys `rope.*`, and the tensors that have no place among keys. What neither
/// can say (`dynamic`, numbers of yarn that are not the usual ones) is left out.
void add_gguf_rope(const ModelConfig& config, GgufMetadata& metadata);
std::vector<std::pair<std::string, std::vector<float>>> gguf_rope_tensors(
    const ModelConfig& config);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_PRETRAINED_GGUF_ROPE_H_
