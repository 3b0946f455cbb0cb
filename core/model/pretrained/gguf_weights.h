#ifndef XKDE_CORE_MODEL_PRETRAINED_GGUF_WEIGHTS_H_
#define XKDE_CORE_MODEL_PRETRAINED_GGUF_WEIGHTS_H_

#include <memory>

#include "core/io/gguf.h"
#include "core/model/pretrained/pretrained.h"

namespace xkde {

/// A config from the metadata of a GGUF file, whose architecture is one of families(). Throws
/// DataError.
ModelConfig config_from_gguf(const GgufFile& file);

/// The file's tensors under Hugging Face names; rows that GGUF keeps in an order of its own
/// (GgufRows) come back in Hugging Face order.
std::unique_ptr<WeightFile> open_gguf_weights(std::shared_ptr<const GgufFile> file,
                                              const ModelConfig& config);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_PRETRAINED_GGUF_WEIGHTS_H_
