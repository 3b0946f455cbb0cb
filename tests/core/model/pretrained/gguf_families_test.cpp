#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <numbers>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/model/families/family.h"
#include "core/model/pretrained/gguf_weights.h"
#include "tests/support/byte_file.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

using Numbers = std::map<std::string, double>;
using Vectors = std::map<std::string, std::vector<float>>;
using Strings = std::map<std::string, std::string>;

/// Whether GGUF keeps the number of this key as fp32.
bool is_real(std::string_view name) {
  return name.ends_with("epsilon") || name.ends_with("freq_base") || name.ends_with("factor") ||
         name.ends_with("softcapping");
}

/// A file of two layers with two heads of 16, its metadata's numbers as fp32 or uint32, and its
/// fp32 vectors. D = 32.
std::string small_gguf(const std::string& architecture, Numbers numbers, const Vectors& vectors,
                       const Strings& strings = {}) {
  constexpr uint32_t kUint32 = 4, kFloat32 = 6, kString = 8;
  const Numbers usual = {{"embedding_length", 32},
                         {"feed_forward_length", 48},
                         {"block_count", 2},
                         {"attention.head_count", 2},
                         {"attention.key_length", 16},
                         {"context_length", 256},
                         {"attention.layer_norm_rms_epsilon", 1.5e-5}};
  numbers.insert(usual.begin(), usual.end());
  ByteFile file;
  file.raw("GGUF").number(uint32_t{3});
  file.number(uint64_t{vectors.size() + 1}).number(uint64_t{numbers.size() + strings.size() + 1});
  file.string("general.architecture").number(kString).string(architecture);
  for (const auto& [name, value] : strings) {
    file.string(architecture + "." + name).number(kString).string(value);
  }
  for (const auto& [name, value] : numbers) {
    file.string(architecture + "." + name);
    if (!is_real(name)) {
      file.number(kUint32).number(static_cast<uint32_t>(value));
    } else {
      file.number(kFloat32).number(static_cast<float>(value));
    }
  }
  uint64_t offset = 0;
  file.string("token_embd.weight").number(uint32_t{2}).number(uint64_t{32}).number(uint64_t{3});
  file.number(uint32_t{0}).number(offset);
  offset += uint64_t{3} * 32 * 4;
  for (const auto& [name, values] : vectors) {
    file.string(name).number(uint32_t{1}).number(uint64_t{values.size()});
    file.number(uint32_t{0}).number(offset);
    offset += (values.size() * 4 + 31) / 32 * 32;
  }
  file.pad_to(32);
  for (int i = 0; i < 3 * 32; ++i) file.number(0.0F);
  for (const auto& [name, values] : vectors) {
    for (const float value : values) file.number(value);
    file.pad_to(32);
  }
  return file.bytes();
}

/// By how much each of 8 pairs of a head of 16 turns slower: transformers' llama3 with theta 500,
/// factor 8, low_freq_factor 1, high_freq_factor 4 and an original length of 64.
std::vector<float> llama3_divisors() {
  std::vector<float> divisors;
  for (int i = 0; i < 8; ++i) {
    const double wavelength = 2 * std::numbers::pi * std::pow(500.0, i / 8.0);
    const double smooth = (64.0 / wavelength - 1.0) / 3.0;
    double divisor = 1.0 / ((1.0 - smooth) / 8.0 + smooth);
    if (wavelength < 16.0) divisor = 1.0;
    if (wavelength > 64.0) divisor = 8.0;
    divisors.push_back(static_cast<float>(divisor));
  }
  return divisors;
}

ModelConfig config_of_gguf(const std::string& bytes) {
  const TemporaryFile file("small.gguf", bytes);
  return config_from_gguf(GgufFile::open(file.path()));
}

TEST(GgufFamilies, FactorsOfFrequenciesAreTheScalingOfLlama3) {
  const ModelConfig config = config_of_gguf(
      small_gguf("llama", {{"rope.freq_base", 500.0}}, {{"rope_freqs.weight", llama3_divisors()}}));

  EXPECT_EQ(config.rope.scaling, RopeConfig::Scaling::kLlama3);
  EXPECT_EQ(config.rope.factor, 8.0);
  EXPECT_EQ(config.rope.low_freq_factor, 1.0);
  EXPECT_EQ(config.rope.high_freq_factor, 4.0);
  EXPECT_EQ(config.rope.original_max_position_embeddings, 64);
}

TEST(GgufFamilies, FactorsOfOneScaleNothing) {
  const ModelConfig config =
      config_of_gguf(small_gguf("llama", {}, {{"rope_freqs.weight", std::vector<float>(8, 1.0F)}}));

  EXPECT_EQ(config.rope.scaling, RopeConfig::Scaling::kNone);
}

TEST(GgufFamilies, FactorsThatNoScalingGivesAreRefused) {
  std::vector<float> factors = llama3_divisors();
  factors[2] = 5.0F;

  EXPECT_THAT(
      [&] {
        config_of_gguf(
            small_gguf("llama", {{"rope.freq_base", 500.0}}, {{"rope_freqs.weight", factors}}));
      },
      ThrowsMessage<DataError>(HasSubstr("tensor rope_freqs.weight: expected the factors of Llama "
                                         "3's scaling")));
  EXPECT_THAT(
      [&] {
        config_of_gguf(
            small_gguf("llama", {}, {{"rope_freqs.weight", std::vector<float>(33, 1.0F)}}));
      },
      ThrowsMessage<DataError>(HasSubstr("expected one number for each pair of a head")));
}

TEST(GgufFamilies, TensorsOfRotationsAreNoWeights) {
  const TemporaryFile bytes(
      "small.gguf", small_gguf("llama", {}, {{"rope_freqs.weight", std::vector<float>(8, 1.0F)}}));
  const auto file = std::make_shared<const GgufFile>(GgufFile::open(bytes.path()));

  const auto weights = open_gguf_weights(file, config_from_gguf(*file));

  EXPECT_THAT(weights->names(), ElementsAre("model.embed_tokens.weight"));
}

TEST(GgufFamilies, YarnHasItsOriginalLength) {
  const ModelConfig config = config_of_gguf(small_gguf(
      "qwen3", {{"rope.scaling.factor", 4.0}, {"rope.scaling.original_context_length", 64}}, {},
      {{"rope.scaling.type", "yarn"}}));

  EXPECT_EQ(config.rope.scaling, RopeConfig::Scaling::kYarn);
  EXPECT_EQ(config.rope.factor, 4.0);
  EXPECT_EQ(config.rope.original_max_position_embeddings, 64);
}

TEST(GgufFamilies, NormsOfGemmaAreKeptPlusOne) {
  const std::vector<float> norm(32, 1.25F), head_norm(16, 0.5F);
  const TemporaryFile bytes(
      "small.gguf",
      small_gguf("gemma3", {{"rope.freq_base", 1e6}, {"attention.sliding_window", 8}},
                 {{"blk.0.attn_q_norm.weight", head_norm}, {"output_norm.weight", norm}}));
  const auto file = std::make_shared<const GgufFile>(GgufFile::open(bytes.path()));
  const ModelConfig config = config_from_gguf(*file);
  const auto weights = open_gguf_weights(file, config);
  std::vector<float> values(32), head_values(16);

  weights->read_f32("model.norm.weight", 0, values);
  weights->read_f32("model.layers.0.self_attn.q_norm.weight", 0, head_values);

  EXPECT_EQ(values, std::vector<float>(32, 0.25F));
  EXPECT_EQ(head_values, std::vector<float>(16, -0.5F));
  EXPECT_EQ(config.family, &family_named("gemma3_text"));
  EXPECT_EQ(config.windows.window, 8);
  EXPECT_EQ(config.windows.period, 6);
  EXPECT_EQ(config.query_pre_attn_scalar, 16.0);
  EXPECT_EQ(config.rope.theta, 1e6);
  EXPECT_EQ(config.local_rope->theta, 1e4);
}

TEST(GgufFamilies, Gemma2HasItsCaps) {
  const ModelConfig config = config_of_gguf(small_gguf("gemma2",
                                                       {{"attn_logit_softcapping", 50},
                                                        {"final_logit_softcapping", 30},
                                                        {"attention.sliding_window", 8},
                                                        {"block_count", 46}},
                                                       {}));

  EXPECT_EQ(config.attn_logit_softcapping, 50.0);
  EXPECT_EQ(config.final_logit_softcapping, 30.0);
  EXPECT_EQ(config.window(0), 8);
  EXPECT_EQ(config.window(1), 0);
  EXPECT_EQ(config.query_pre_attn_scalar, 16.0);  // D / H, of the size with 46 layers
}

TEST(GgufFamilies, FactorsOfPairsAreTheLongRopeOfPhi3) {
  ModelConfig config = config_of_gguf(small_gguf("phi3", {{"attention.sliding_window", 0}}, {}));
  EXPECT_EQ(config.window(0), 0);
  config = config_of_gguf(small_gguf(
      "phi3", {{"rope.dimension_count", 8}, {"rope.scaling.original_context_length", 64}},
      {{"rope_factors_short.weight", {1.0F, 1.5F, 2.0F, 2.5F}},
       {"rope_factors_long.weight", {1.0F, 2.0F, 4.0F, 8.0F}}}));

  EXPECT_EQ(config.rope.scaling, RopeConfig::Scaling::kLongRope);
  EXPECT_THAT(config.rope.short_factor, ElementsAre(1.0, 1.5, 2.0, 2.5));
  EXPECT_EQ(config.rope.partial_rotary_factor, 0.5);
  EXPECT_EQ(config.context_length(), 64);
}

}  // namespace
}  // namespace xkde
