#include "core/model/families/model_config.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

Json llama() {
  return {{"model_type", "llama"},         {"vocab_size", 100},      {"hidden_size", 64},
          {"intermediate_size", 96},       {"num_hidden_layers", 2}, {"num_attention_heads", 4},
          {"num_key_value_heads", 2},      {"rms_norm_eps", 1e-5},   {"rope_theta", 5000.0},
          {"max_position_embeddings", 64}, {"eos_token_id", {7, 8}}, {"bos_token_id", 1}};
}

std::string error_of(const Json& json) {
  try {
    ModelConfig::from_json(json, "config.json");
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ModelConfig, ReadsBothGenerationsOfRopeKeys) {
  Json old = llama();
  old["rope_scaling"] = {{"rope_type", "llama3"},
                         {"factor", 8.0},
                         {"low_freq_factor", 1.0},
                         {"high_freq_factor", 4.0},
                         {"original_max_position_embeddings", 32}};
  Json fresh = llama();
  fresh.erase("rope_theta");
  fresh["rope_parameters"] = old["rope_scaling"];
  fresh["rope_parameters"]["rope_theta"] = 5000.0;

  for (const Json& json : {old, fresh}) {
    const ModelConfig config = ModelConfig::from_json(json, "config.json");
    EXPECT_EQ(config.rope.theta, 5000.0);
    EXPECT_EQ(config.rope.scaling, RopeConfig::Scaling::kLlama3);
    EXPECT_EQ(config.rope.factor, 8.0);
    EXPECT_EQ(config.head_dim, 16);
    EXPECT_EQ(config.eos_token_id, (std::vector<int64_t>{7, 8}));
  }
}

TEST(ModelConfig, WhatIsWrittenReadsBackEqual) {
  Json json = llama();
  json["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}};
  const ModelConfig config = ModelConfig::from_json(json, "config.json");

  const Json written = config.to_json(Dtype::kFloat32);

  EXPECT_EQ(ModelConfig::from_json(written, "x").to_json(Dtype::kFloat32), written);
}

TEST(ModelConfig, Qwen2AlwaysHasBiasesOnQkv) {
  Json json = llama();
  json["model_type"] = "qwen2";

  const ModelConfig config = ModelConfig::from_json(json, "config.json");

  EXPECT_TRUE(config.attention_bias);
  EXPECT_FALSE(config.mlp_bias);
}

TEST(ModelConfig, RefusesWhatItWouldComputeWrong) {
  const auto with = [](const char* key, const Json& value) {
    Json json = llama();
    json[key] = value;
    return error_of(json);
  };
  using testing::HasSubstr;
  EXPECT_THAT(with("model_type", "gpt2"), HasSubstr("phi3, found gpt2"));
  EXPECT_THAT(with("vocab_size", -1),
              HasSubstr("vocab_size: expected a positive integer, found -1"));
  EXPECT_THAT(with("vocab_size", nullptr), HasSubstr("expected key vocab_size"));
  EXPECT_THAT(with("hidden_act", "gelu"), HasSubstr("expected silu, found gelu"));
  EXPECT_THAT(with("num_key_value_heads", 3), HasSubstr("expected a divisor of 4, found 3"));
  EXPECT_THAT(
      with("rope_scaling", {{"type", "mrope"}}),
      HasSubstr("rope_scaling: rope_type: expected default, linear, dynamic, yarn, longrope, "
                "llama3, found mrope"));
  EXPECT_THAT(with("rope_scaling", {{"type", "yarn"}}), HasSubstr("expected key factor"));
  EXPECT_THAT(with("rope_parameters", {{"sliding_attention", {{"rope_theta", 3.0}}}}),
              HasSubstr("expected one table for all layers of a llama model"));
  EXPECT_THAT(with("use_bidirectional_attention", true), HasSubstr("expected causal attention"));
  EXPECT_THAT(with("head_dim", 15), HasSubstr("even number, found 15"));
  EXPECT_THAT(with("hidden_size", 65), HasSubstr("multiple of num_attention_heads"));
  EXPECT_THAT(with("use_sliding_window", true), HasSubstr("use_sliding_window"));
  EXPECT_THAT(with("eos_token_id", "x"), HasSubstr("a token id or a list of them"));
  EXPECT_THAT(error_of(Json::array()), HasSubstr("expected an object"));
}

Json of_type(const char* type) {
  Json json = llama();
  json["model_type"] = type;
  return json;
}

/// Which layers have a window, as "010".
std::string sliding_layers(const ModelConfig& config) {
  std::string text;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) text += config.window(i) > 0 ? '1' : '0';
  return text;
}

TEST(ModelConfig, AMistralHasAWindowUnlessItSaysNull) {
  Json json = of_type("mistral");
  EXPECT_EQ(ModelConfig::from_json(json, "x").window(1), 4096);
  json["sliding_window"] = 7;
  EXPECT_EQ(ModelConfig::from_json(json, "x").window(0), 7);
  json["sliding_window"] = nullptr;
  const ModelConfig config = ModelConfig::from_json(json, "x");
  EXPECT_EQ(config.window(0), 0);
  EXPECT_TRUE(config.to_json(Dtype::kFloat32).at("sliding_window").is_null());
}

TEST(ModelConfig, QwenModelsHaveWindowsFromALayerOnOrByList) {
  for (const char* type : {"qwen2", "qwen3"}) {
    Json json = of_type(type);
    json["num_hidden_layers"] = 3;
    json["sliding_window"] = 5;
    json["max_window_layers"] = 2;
    EXPECT_EQ(sliding_layers(ModelConfig::from_json(json, "x")), "000") << "not in use";
    json["use_sliding_window"] = true;
    EXPECT_EQ(sliding_layers(ModelConfig::from_json(json, "x")), "001");
    json["max_window_layers"] = 0;
    EXPECT_EQ(sliding_layers(ModelConfig::from_json(json, "x")), "111");
    json["layer_types"] = {"sliding_attention", "full_attention", "sliding_attention"};
    EXPECT_EQ(sliding_layers(ModelConfig::from_json(json, "x")), "101");
    json["layer_types"] = {"sliding_attention"};
    EXPECT_THAT(error_of(json), testing::HasSubstr("num_hidden_layers = 3, found 1"));
    json["layer_types"] = {"linear_attention", "full_attention", "full_attention"};
    EXPECT_THAT(error_of(json), testing::HasSubstr("found \"linear_attention\""));
  }
}

TEST(ModelConfig, LongRopeEndsTheContextWhereItsRotationsChange) {
  Json json = llama();
  json["max_position_embeddings"] = 256;
  json["original_max_position_embeddings"] = 64;
  json["rope_scaling"] = {{"type", "longrope"},
                          {"short_factor", std::vector<double>(8, 1.0)},
                          {"long_factor", std::vector<double>(8, 2.0)}};
  const ModelConfig config = ModelConfig::from_json(json, "x");

  EXPECT_EQ(config.context_length(), 64);
  EXPECT_NEAR(config.rope.attention_factor, 1.1547005383792515, 1e-12);  // sqrt(1 + ln 4 / ln 64)
  json["rope_scaling"]["short_factor"] = {1.0};
  EXPECT_THAT(error_of(json), testing::HasSubstr("short_factor: expected 8 numbers, found 1"));
}

}  // namespace
}  // namespace xkde
