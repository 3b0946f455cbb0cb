#ifndef XKDE_CORE_MODEL_FAMILIES_WINDOWED_LAYERS_H_
#define XKDE_CORE_MODEL_FAMILIES_WINDOWED_LAYERS_H_

#include <cstdint>
#include <vector>

#include "core/io/json_file.h"
#include "core/model/families/config_reader.h"

namespace xkde {

/// Which layers let a token see only the nearest tokens. A rule and not a list, as a config may
/// promise any number of layers.
struct WindowedLayers {
  int64_t window = 0;        ///< tokens that one sees, itself included; 0: every layer sees all
  int64_t first = 0;         ///< the layers before it see all
  int64_t period = 0;        ///< every period-th layer sees all; 0: none does
  std::vector<bool> listed;  ///< of each layer, where the config lists them; else empty

  bool slides(int64_t layer) const {
    if (window == 0) return false;
    if (!listed.empty()) return listed[static_cast<size_t>(layer)];
    return layer >= first && (period == 0 || (layer + 1) % period != 0);
  }
};

/// `sliding_window` of a config.json: null is no window, and no key `usual`, the family's own.
void read_window(const ConfigReader& reader, int64_t usual, WindowedLayers& windows);

/// `layer_types` of a config.json, in place of the rule where it is there. Throws DataError for
/// another number of layers and another kind of attention.
void read_layer_types(const ConfigReader& reader, int64_t layers, WindowedLayers& windows);

/// `sliding_window`, and `layer_types` where `lists`, as transformers writes them.
void write_windows(const WindowedLayers& windows, int64_t layers, bool lists, Json& json);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_WINDOWED_LAYERS_H_
