#include "core/model/families/model_config.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/model/families/config_reader.h"
#include "core/model/families/family.h"

namespace xkde {
namespace {

std::vector<int64_t> read_ids(const ConfigReader& reader, const char* key) {
  if (!reader.has(key)) return {};
  const Json& value = reader.at(key);
  const Json list = value.is_array() ? value : Json::array({value});
  std::vector<int64_t> ids;
  for (const Json& id : list) {
    XKDE_CHECK(id.is_number_integer(), DataError, reader.place(), ": ", key,
               ": expected a token id or a list of them, found ", value.dump());
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

void refuse_what_would_be_wrong(const ConfigReader& reader, const ModelConfig& config) {
  const Family& family = *config.family;
  const std::string_view activation = name_of(kActivationNames, family.arithmetic.activation);
  // Gemma has the older key, too, and reads the newer one.
  const char* key = reader.has("hidden_activation") ? "hidden_activation" : "hidden_act";
  if (reader.has(key)) {
    XKDE_CHECK(reader.string(key) == activation, DataError, reader.place(), ": ", key,
               ": expected ", activation, ", found ", reader.string(key));
  }
  const bool slides = reader.boolean_or("use_sliding_window", false) &&
                      reader.count_or("max_window_layers", 0) < config.num_hidden_layers;
  XKDE_CHECK(!slides || family.arithmetic.has_windows, DataError, reader.place(),
             ": use_sliding_window: expected full attention in every layer of a ",
             family.model_type, " model, found true");
  XKDE_CHECK(!reader.boolean_or("use_bidirectional_attention", false), DataError, reader.place(),
             ": use_bidirectional_attention: expected causal attention, found true");
  XKDE_CHECK(config.num_attention_heads % config.num_key_value_heads == 0, DataError,
             reader.place(), ": num_key_value_heads: expected a divisor of ",
             config.num_attention_heads, ", found ", config.num_key_value_heads);
  XKDE_CHECK(config.head_dim % 2 == 0, DataError, reader.place(),
             ": head_dim: expected an even number, found ", config.head_dim);
  const int64_t turning = config.rope.width(config.head_dim);
  XKDE_CHECK(turning > 0 && turning % 2 == 0 && turning <= config.head_dim, DataError,
             reader.place(),
             ": partial_rotary_factor: expected an even part of head_dim = ", config.head_dim,
             ", found ", config.rope.partial_rotary_factor);
  if (config.rope.scaling == RopeConfig::Scaling::kLongRope) {
    XKDE_CHECK(2 * std::ssize(config.rope.short_factor) == turning, DataError, reader.place(),
               ": short_factor: expected ", turning / 2, " numbers, found ",
               config.rope.short_factor.size());
  }
}

}  // namespace

ModelConfig ModelConfig::from_json(const Json& json, const std::string& name) {
  const ConfigReader reader(json, name);
  ModelConfig config;
  config.family =
      &family_by(&Family::model_type, reader.string("model_type"), name + ": model_type");
  config.vocab_size = reader.size("vocab_size");
  config.hidden_size = reader.size("hidden_size");
  config.intermediate_size = reader.size("intermediate_size");
  config.num_hidden_layers = reader.size("num_hidden_layers");
  config.num_attention_heads = reader.size("num_attention_heads");
  config.num_key_value_heads = reader.size_or("num_key_value_heads", config.num_attention_heads);
  const Family& family = *config.family;
  if (!reader.has("head_dim") && family.default_head_dim == 0) {
    XKDE_CHECK(config.hidden_size % config.num_attention_heads == 0, DataError, name,
               ": hidden_size: expected a multiple of num_attention_heads = ",
               config.num_attention_heads, ", found ", config.hidden_size);
  }
  config.head_dim = reader.size_or(
      "head_dim", family.default_head_dim > 0 ? family.default_head_dim
                                              : config.hidden_size / config.num_attention_heads);
  config.max_position_embeddings = reader.size_or("max_position_embeddings", 2048);
  config.rms_norm_eps = reader.number_or("rms_norm_eps", 1e-6);
  config.tie_word_embeddings = reader.boolean_or("tie_word_embeddings", family.ties_by_default);
  const RopeTables rope =
      read_rope(reader, config.max_position_embeddings, family.default_rope_theta);
  config.rope = rope.full;
  config.local_rope = rope.sliding;
  config.eos_token_id = read_ids(reader, "eos_token_id");
  const std::vector<int64_t> bos = read_ids(reader, "bos_token_id");
  const std::vector<int64_t> pad = read_ids(reader, "pad_token_id");
  config.bos_token_id = bos.empty() ? -1 : bos.front();
  config.pad_token_id = pad.empty() ? -1 : pad.front();
  family.read(reader, config);
  XKDE_CHECK(!config.local_rope || family.arithmetic.has_local_rope, DataError, name,
             ": rope_parameters: expected one table for all layers of a ", family.model_type,
             " model, found one for sliding_attention");
  refuse_what_would_be_wrong(reader, config);
  return config;
}

int64_t ModelConfig::context_length() const {
  if (rope.scaling != RopeConfig::Scaling::kLongRope) return max_position_embeddings;
  return std::min(max_position_embeddings, rope.original_max_position_embeddings);
}

Json ModelConfig::to_json(Dtype dtype) const {
  Json json = {{"architectures", {family->architecture}},
               {"model_type", family->model_type},
               {"hidden_act", name_of(kActivationNames, family->arithmetic.activation)},
               {"vocab_size", vocab_size},
               {"hidden_size", hidden_size},
               {"intermediate_size", intermediate_size},
               {"num_hidden_layers", num_hidden_layers},
               {"num_attention_heads", num_attention_heads},
               {"num_key_value_heads", num_key_value_heads},
               {"head_dim", head_dim},
               {"max_position_embeddings", max_position_embeddings},
               {"rms_norm_eps", rms_norm_eps},
               {"tie_word_embeddings", tie_word_embeddings},
               {"attention_dropout", 0.0},
               {"initializer_range", 0.02},
               {"use_cache", true},
               {"rope_theta", rope.theta},
               {"torch_dtype", name_of(kDtypes, dtype)}};
  // transformers 5 reads rope_parameters, transformers 4 rope_theta and rope_scaling.
  Json parameters = rope_json(rope);
  json["rope_parameters"] = parameters;
  if (local_rope) {
    json["rope_parameters"] = {{"full_attention", parameters},
                               {"sliding_attention", rope_json(*local_rope)}};
  }
  parameters.erase("rope_theta");
  const bool scaled = rope.scaling != RopeConfig::Scaling::kNone;
  json["rope_scaling"] = scaled ? parameters : Json(nullptr);
  if (family->write != nullptr) family->write(*this, json);
  if (bos_token_id >= 0) json["bos_token_id"] = bos_token_id;
  if (pad_token_id >= 0) json["pad_token_id"] = pad_token_id;
  if (eos_token_id.size() == 1) {
    json["eos_token_id"] = eos_token_id.front();
  } else if (!eos_token_id.empty()) {
    json["eos_token_id"] = eos_token_id;
  }
  return json;
}

}  // namespace xkde
