#ifndef XKDE_CORE_MODEL_FAMILIES_ROPE_CONFIG_H_
#define XKDE_CORE_MODEL_FAMILIES_ROPE_CONFIG_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/named.h"
#include "core/io/json_file.h"
#include "core/model/families/config_reader.h"

namespace xkde {

/// Rotary embedding: base frequency and the scaling of long-context variants.
/// Source: transformers modeling_rope_utils.py.
struct RopeConfig {
  enum class Scaling { kNone, kLinear, kDynamic, kYarn, kLongRope, kLlama3 };
  double theta = 10000.0;
  double partial_rotary_factor = 1.0;  ///< the share of each head that turns
  Scaling scaling = Scaling::kNone;
  double factor = 1.0;                           ///< all but kNone and kLongRope
  double low_freq_factor = 1.0;                  ///< llama3
  double high_freq_factor = 4.0;                 ///< llama3
  int64_t original_max_position_embeddings = 0;  ///< llama3, yarn, longrope
  double attention_factor = 1.0;                 ///< yarn, longrope: of cosines and sines
  double beta_fast = 32.0;                       ///< yarn
  double beta_slow = 1.0;                        ///< yarn
  bool truncate = true;                          ///< yarn
  std::vector<double> short_factor;              ///< longrope: of each pair, within the original
  std::vector<double> long_factor;               ///< longrope: beyond it; only kept for the export

  /// The entries of a head that turn.
  int64_t width(int64_t head_dim) const {
    return static_cast<int64_t>(static_cast<double>(head_dim) * partial_rotary_factor);
  }
};
/// What `rope_type` says. Within the context of the model, "dynamic" changes nothing.
inline constexpr Named<RopeConfig::Scaling> kRopeScalings[] = {
    {"default", RopeConfig::Scaling::kNone},      {"linear", RopeConfig::Scaling::kLinear},
    {"dynamic", RopeConfig::Scaling::kDynamic},   {"yarn", RopeConfig::Scaling::kYarn},
    {"longrope", RopeConfig::Scaling::kLongRope}, {"llama3", RopeConfig::Scaling::kLlama3}};

/// The table of rotations, and that of the layers with a window where it is another.
struct RopeTables {
  RopeConfig full;
  std::optional<RopeConfig> sliding;
};
/// From a config.json of either generation: rope_theta and rope_scaling, or rope_parameters, which
/// may hold one object for each of "full_attention" and "sliding_attention". `max_positions` is the
/// context of the model, `default_theta` the base where the config has none. Throws DataError.
RopeTables read_rope(const ConfigReader& reader, int64_t max_positions, double default_theta);

/// The keys of one table as transformers 5 has them in rope_parameters.
Json rope_json(const RopeConfig& rope);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_ROPE_CONFIG_H_
