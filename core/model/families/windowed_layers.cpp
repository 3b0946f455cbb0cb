#include "core/model/families/windowed_layers.h"

#include "core/base/error.h"

namespace xkde {
namespace {

constexpr const char* kFull = "full_attention";
constexpr const char* kSliding = "sliding_attention";

}  // namespace

void read_window(const ConfigReader& reader, int64_t usual, WindowedLayers& windows) {
  if (!reader.is_null("sliding_window")) windows.window = reader.size_or("sliding_window", usual);
}

void read_layer_types(const ConfigReader& reader, int64_t layers, WindowedLayers& windows) {
  if (!reader.has("layer_types")) return;
  const Json& list = reader.at("layer_types");
  XKDE_CHECK(list.is_array() && std::ssize(list) == layers, DataError, reader.place(),
             ": layer_types: expected a list of num_hidden_layers = ", layers, ", found ",
             list.is_array() ? std::to_string(list.size()) : list.dump());
  windows.listed.clear();
  for (const Json& type : list) {
    XKDE_CHECK(type == kFull || type == kSliding, DataError, reader.place(),
               ": layer_types: expected ", kFull, " or ", kSliding, ", found ", type.dump());
    windows.listed.push_back(type == kSliding);
  }
}

void write_windows(const WindowedLayers& windows, int64_t layers, bool lists, Json& json) {
  json["sliding_window"] = windows.window > 0 ? Json(windows.window) : Json(nullptr);
  if (!lists) return;
  Json types = Json::array();
  for (int64_t layer = 0; layer < layers; ++layer) {
    types.push_back(windows.slides(layer) ? kSliding : kFull);
  }
  json["layer_types"] = types;
}

}  // namespace xkde
