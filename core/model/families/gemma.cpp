#include "core/model/families/gemma.h"

#include "core/base/error.h"

namespace xkde {
namespace {

/// Null is no cap, and no key the family's own.
double read_cap(const ConfigReader& reader, const char* key, double usual) {
  return reader.is_null(key) ? 0.0 : reader.number_or(key, usual);
}

Json cap_json(double cap) { return cap > 0.0 ? Json(cap) : Json(nullptr); }

/// The config has no such key, not even with null.
bool is_absent(const ConfigReader& reader, const char* key) {
  return !reader.has(key) && !reader.is_null(key);
}

}  // namespace

void read_gemma(const ConfigReader& reader, const GemmaDefaults& defaults, ModelConfig& config) {
  constexpr double kUsualScalar = 256.0;
  constexpr int64_t kUsualWindow = 4096;
  XKDE_CHECK(!reader.boolean_or("attention_bias", false), DataError, reader.place(),
             ": attention_bias: expected a Gemma without biases, found true");
  config.query_pre_attn_scalar = reader.number_or("query_pre_attn_scalar", kUsualScalar);
  config.attn_logit_softcapping =
      read_cap(reader, "attn_logit_softcapping", defaults.attn_logit_softcapping);
  config.final_logit_softcapping =
      read_cap(reader, "final_logit_softcapping", defaults.final_logit_softcapping);
  read_window(reader, kUsualWindow, config.windows);
  config.windows.period = reader.size_or("sliding_window_pattern", defaults.period);
  read_layer_types(reader, config.num_hidden_layers, config.windows);
  if (is_absent(reader, "pad_token_id")) config.pad_token_id = 0;
  if (is_absent(reader, "eos_token_id")) config.eos_token_id = {1};
  if (is_absent(reader, "bos_token_id")) config.bos_token_id = 2;
}

void write_gemma(const ModelConfig& config, Json& json) {
  json["hidden_activation"] = json["hidden_act"];
  json["attention_bias"] = false;
  json["query_pre_attn_scalar"] = config.query_pre_attn_scalar;
  // transformers 5 takes an integer only.
  const auto whole = static_cast<int64_t>(config.query_pre_attn_scalar);
  if (static_cast<double>(whole) == config.query_pre_attn_scalar) {
    json["query_pre_attn_scalar"] = whole;
  }
  json["attn_logit_softcapping"] = cap_json(config.attn_logit_softcapping);
  json["final_logit_softcapping"] = cap_json(config.final_logit_softcapping);
  write_windows(config.windows, config.num_hidden_layers, /*lists=*/true, json);
}

void read_gemma_gguf(const GgufFile& file, int64_t largest_layers, Json& json) {
  const std::string architecture = file.string("general.architecture");
  const auto key = [&](const char* suffix) { return architecture + "." + suffix; };
  for (const char* cap : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    if (file.has(key(cap))) json[cap] = file.number(key(cap));
  }
  if (file.has(key("attention.sliding_window"))) {
    json["sliding_window"] = file.integer(key("attention.sliding_window"));
  }
  const bool is_largest = json["num_hidden_layers"] == largest_layers;
  if (is_largest && json["num_attention_heads"] > 0) {
    json["query_pre_attn_scalar"] =
        json["hidden_size"].get<int64_t>() / json["num_attention_heads"].get<int64_t>();
  } else if (json.contains("head_dim")) {
    json["query_pre_attn_scalar"] = json["head_dim"];
  }
}

}  // namespace xkde
