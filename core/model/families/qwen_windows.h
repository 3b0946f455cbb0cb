#ifndef XKDE_CORE_MODEL_FAMILIES_QWEN_WINDOWS_H_
#define XKDE_CORE_MODEL_FAMILIES_QWEN_WINDOWS_H_

#include "core/io/json_file.h"
#include "core/model/families/config_reader.h"
#include "core/model/families/model_config.h"

namespace xkde {

/// The windows of Qwen2 and Qwen3: with `use_sliding_window`, the layers from `max_window_layers`
/// on have that of `sliding_window`, unless `layer_types` says which. Throws DataError.
void read_qwen_windows(const ConfigReader& reader, ModelConfig& config);
/// Those keys; nothing where no layer has a window.
void write_qwen_windows(const ModelConfig& config, Json& json);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_QWEN_WINDOWS_H_
