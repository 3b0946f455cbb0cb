#include "core/model/families/rope_config.h"

#include <cmath>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"

namespace xkde {
namespace {

using Scaling = RopeConfig::Scaling;

/// "su" and, where there are factors of pairs, "yarn" are what Phi-3 called longrope at first.
Scaling scaling_of(const ConfigReader& reader) {
  const std::string type = reader.has("rope_type") ? reader.string("rope_type")
                           : reader.has("type")    ? reader.string("type")
                                                   : "default";
  if (type == "su" || (type == "yarn" && reader.has("short_factor"))) return Scaling::kLongRope;
  const auto known = value_of(kRopeScalings, type);
  XKDE_CHECK(known, DataError, reader.place(), ": rope_type: expected ",
             fmt::format("{}", fmt::join(names_of(kRopeScalings), ", ")), ", found ", type);
  return *known;
}

std::vector<double> read_factors(const ConfigReader& reader, const char* key) {
  const Json& list = reader.at(key);
  std::vector<double> factors;
  for (const Json& factor : list) {
    const bool fits = list.is_array() && factor.is_number() && factor.get<double>() > 0.0;
    XKDE_CHECK(fits, DataError, reader.place(), ": ", key,
               ": expected a list of positive numbers, found ", factor.dump());
    factors.push_back(factor.get<double>());
  }
  return factors;
}

/// 0.1 m ln(factor) + 1: by how much YaRN sharpens attention.
double yarn_sharpness(double factor, double m) {
  return factor <= 1.0 ? 1.0 : 0.1 * m * std::log(factor) + 1.0;
}

void read_yarn(const ConfigReader& reader, RopeConfig& rope) {
  rope.beta_fast = reader.number_or("beta_fast", 32.0);
  rope.beta_slow = reader.number_or("beta_slow", 1.0);
  rope.truncate = reader.boolean_or("truncate", true);
  const bool has_scales = reader.has("mscale") && reader.has("mscale_all_dim");
  const double usual = has_scales ? yarn_sharpness(rope.factor, reader.number("mscale")) /
                                        yarn_sharpness(rope.factor, reader.number("mscale_all_dim"))
                                  : yarn_sharpness(rope.factor, 1.0);
  rope.attention_factor = reader.number_or("attention_factor", usual);
}

void read_longrope(const ConfigReader& reader, int64_t max_positions, RopeConfig& rope) {
  rope.short_factor = read_factors(reader, "short_factor");
  rope.long_factor = read_factors(reader, "long_factor");
  const auto original = static_cast<double>(rope.original_max_position_embeddings);
  const double factor = reader.number_or("factor", static_cast<double>(max_positions) / original);
  const double usual = factor <= 1.0 ? 1.0 : std::sqrt(1.0 + std::log(factor) / std::log(original));
  rope.attention_factor = reader.number_or("attention_factor", usual);
}

/// `root` is the whole config: Phi-3 has its original length there.
void read_scaling(const ConfigReader& reader, const ConfigReader& root, int64_t max_positions,
                  RopeConfig& rope) {
  const Scaling scaling = scaling_of(reader);
  if (scaling == Scaling::kNone) return;
  rope.scaling = scaling;
  if (rope.scaling != Scaling::kLongRope) rope.factor = reader.number("factor");
  if (rope.scaling == Scaling::kLinear || rope.scaling == Scaling::kDynamic) return;
  const char* original = "original_max_position_embeddings";
  if (root.has(original)) {
    rope.original_max_position_embeddings = root.size(original);
  } else if (rope.scaling == Scaling::kLlama3) {
    rope.original_max_position_embeddings = reader.size(original);
  } else {
    rope.original_max_position_embeddings = reader.size_or(original, max_positions);
  }
  if (rope.scaling == Scaling::kYarn) read_yarn(reader, rope);
  if (rope.scaling == Scaling::kLongRope) read_longrope(reader, max_positions, rope);
  if (rope.scaling == Scaling::kLlama3) {
    rope.low_freq_factor = reader.number("low_freq_factor");
    rope.high_freq_factor = reader.number("high_freq_factor");
  }
}

}  // namespace

RopeTables read_rope(const ConfigReader& reader, int64_t max_positions, double default_theta) {
  RopeTables tables;
  tables.full.theta = reader.number_or("rope_theta", default_theta);
  if (reader.has("rope_scaling")) {
    read_scaling(reader.object("rope_scaling"), reader, max_positions, tables.full);
  }
  if (!reader.has("rope_parameters")) return tables;
  const ConfigReader parameters = reader.object("rope_parameters");
  const auto read = [&](const ConfigReader& from, RopeConfig& rope) {
    rope.theta = from.number_or("rope_theta", rope.theta);
    read_scaling(from, reader, max_positions, rope);
  };
  if (!parameters.has("full_attention") && !parameters.has("sliding_attention")) {
    read(parameters, tables.full);
    return tables;
  }
  if (parameters.has("full_attention")) read(parameters.object("full_attention"), tables.full);
  if (parameters.has("sliding_attention")) {
    read(parameters.object("sliding_attention"), tables.sliding.emplace());
  }
  return tables;
}

Json rope_json(const RopeConfig& rope) {
  Json json = {{"rope_theta", rope.theta}, {"rope_type", name_of(kRopeScalings, rope.scaling)}};
  if (rope.partial_rotary_factor != 1.0) json["partial_rotary_factor"] = rope.partial_rotary_factor;
  if (rope.scaling == Scaling::kNone) return json;
  if (rope.scaling != Scaling::kLongRope) json["factor"] = rope.factor;
  if (rope.scaling == Scaling::kLinear || rope.scaling == Scaling::kDynamic) return json;
  json["original_max_position_embeddings"] = rope.original_max_position_embeddings;
  if (rope.scaling == Scaling::kLlama3) {
    json["low_freq_factor"] = rope.low_freq_factor;
    json["high_freq_factor"] = rope.high_freq_factor;
    return json;
  }
  json["attention_factor"] = rope.attention_factor;
  if (rope.scaling == Scaling::kYarn) {
    json["beta_fast"] = rope.beta_fast;
    json["beta_slow"] = rope.beta_slow;
    json["truncate"] = rope.truncate;
  } else {
    json["short_factor"] = rope.short_factor;
    json["long_factor"] = rope.long_factor;
  }
  return json;
}

}  // namespace xkde
