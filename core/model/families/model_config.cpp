#include "core/model/families/model_config.h"

#include "core/base/error.h"
#include "core/model/families/config_reader.h"
#include "core/model/families/family.h"

namespace xkde {
namespace {

void read_scaling(const ConfigReader& reader, RopeConfig& rope) {
  const std::string type = reader.has("rope_type") ? reader.string("rope_type")
                           : reader.has("type")    ? reader.string("type")
                                                   : "default";
  if (type == "default") return;
  if (type == "linear") {
    rope.scaling = RopeConfig::Scaling::kLinear;
    rope.factor = reader.number("factor");
    return;
  }
  XKDE_CHECK(type == "llama3", DataError, reader.place(),
             ": rope_type: expected default, linear or llama3, found ", type);
  rope.scaling = RopeConfig::Scaling::kLlama3;
  rope.factor = reader.number("factor");
  rope.low_freq_factor = reader.number("low_freq_factor");
  rope.high_freq_factor = reader.number("high_freq_factor");
  rope.original_max_position_embeddings = reader.size("original_max_position_embeddings");
}

RopeConfig read_rope(const ConfigReader& reader) {
  RopeConfig rope;
  rope.theta = reader.number_or("rope_theta", 10000.0);
  if (reader.has("rope_scaling")) read_scaling(reader.object("rope_scaling"), rope);
  if (reader.has("rope_parameters")) {
    const ConfigReader parameters = reader.object("rope_parameters");
    rope.theta = parameters.number_or("rope_theta", rope.theta);
    read_scaling(parameters, rope);
  }
  return rope;
}

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
  if (reader.has("hidden_act")) {
    XKDE_CHECK(reader.string("hidden_act") == "silu", DataError, reader.place(),
               ": hidden_act: expected silu, found ", reader.string("hidden_act"));
  }
  const bool slides = reader.boolean_or("use_sliding_window", false) &&
                      reader.size_or("max_window_layers", 0) < config.num_hidden_layers;
  XKDE_CHECK(!slides, DataError, reader.place(),
             ": use_sliding_window: expected full attention in every layer, found true");
  XKDE_CHECK(config.num_attention_heads % config.num_key_value_heads == 0, DataError,
             reader.place(), ": num_key_value_heads: expected a divisor of ",
             config.num_attention_heads, ", found ", config.num_key_value_heads);
  XKDE_CHECK(config.head_dim % 2 == 0, DataError, reader.place(),
             ": head_dim: expected an even number, found ", config.head_dim);
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
  if (!reader.has("head_dim")) {
    XKDE_CHECK(config.hidden_size % config.num_attention_heads == 0, DataError, name,
               ": hidden_size: expected a multiple of num_attention_heads = ",
               config.num_attention_heads, ", found ", config.hidden_size);
  }
  config.head_dim = reader.size_or("head_dim", config.hidden_size / config.num_attention_heads);
  config.max_position_embeddings = reader.size_or("max_position_embeddings", 2048);
  config.rms_norm_eps = reader.number_or("rms_norm_eps", 1e-6);
  config.tie_word_embeddings = reader.boolean_or("tie_word_embeddings", false);
  config.family->read(reader, config);
  config.rope = read_rope(reader);
  config.eos_token_id = read_ids(reader, "eos_token_id");
  const std::vector<int64_t> bos = read_ids(reader, "bos_token_id");
  const std::vector<int64_t> pad = read_ids(reader, "pad_token_id");
  config.bos_token_id = bos.empty() ? -1 : bos.front();
  config.pad_token_id = pad.empty() ? -1 : pad.front();
  refuse_what_would_be_wrong(reader, config);
  return config;
}

Json ModelConfig::to_json(Dtype dtype) const {
  Json json = {{"architectures", {family->architecture}},
               {"model_type", family->model_type},
               {"hidden_act", "silu"},
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
  if (family->write != nullptr) family->write(*this, json);
  Json parameters = {{"rope_theta", rope.theta}, {"rope_type", "default"}};
  if (rope.scaling == RopeConfig::Scaling::kLinear) {
    parameters["rope_type"] = "linear";
    parameters["factor"] = rope.factor;
  } else if (rope.scaling == RopeConfig::Scaling::kLlama3) {
    parameters["rope_type"] = "llama3";
    parameters["factor"] = rope.factor;
    parameters["low_freq_factor"] = rope.low_freq_factor;
    parameters["high_freq_factor"] = rope.high_freq_factor;
    parameters["original_max_position_embeddings"] = rope.original_max_position_embeddings;
  }
  // transformers 5 reads rope_parameters, transformers 4 rope_theta and rope_scaling.
  json["rope_parameters"] = parameters;
  parameters.erase("rope_theta");
  const bool scaled = rope.scaling != RopeConfig::Scaling::kNone;
  json["rope_scaling"] = scaled ? parameters : Json(nullptr);
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
