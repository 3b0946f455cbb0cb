#include "core/model/families/qwen_windows.h"

namespace xkde {

void read_qwen_windows(const ConfigReader& reader, ModelConfig& config) {
  if (!reader.boolean_or("use_sliding_window", false)) return;
  constexpr int64_t kUsualWindow = 4096, kUsualFirst = 28;  // where the keys are absent
  read_window(reader, kUsualWindow, config.windows);
  if (config.windows.window == 0) return;
  config.windows.first = reader.count_or("max_window_layers", kUsualFirst);
  read_layer_types(reader, config.num_hidden_layers, config.windows);
}

void write_qwen_windows(const ModelConfig& config, Json& json) {
  if (config.windows.window == 0) return;
  write_windows(config.windows, config.num_hidden_layers, /*lists=*/true, json);
  json["use_sliding_window"] = true;
  json["max_window_layers"] = config.windows.first;
}

}  // namespace xkde
