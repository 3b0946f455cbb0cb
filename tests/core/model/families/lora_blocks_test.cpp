#include "core/model/families/lora_blocks.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/model/families/model_config.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

ModelConfig small_config() {
  ModelConfig config;
  config.vocab_size = 53;
  config.hidden_size = 20;
  config.intermediate_size = 27;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 3;
  config.num_key_value_heads = 1;
  config.head_dim = 6;
  return config;
}

std::vector<std::string> names_of(const LoraBlock& block) {
  std::vector<std::string> names;
  for (const LoraTensor& tensor : block.tensors) names.push_back(tensor.name);
  return names;
}

TEST(LoraBlocks, AdaptEveryLinearLayerOfEveryBlock) {
  const auto blocks = lora_blocks(small_config(), {.r = 4});

  ASSERT_EQ(blocks.size(), 2U);
  EXPECT_EQ(blocks[1].name, "block 1");
  EXPECT_EQ(blocks[1].tensors.size(), 14U);
  EXPECT_EQ(lora_modules(small_config(), {}),
            (std::vector<std::string>{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj",
                                      "up_proj", "down_proj"}));
}

TEST(LoraBlocks, JoinNeighboursOfOneInputUnderPeftsNames) {
  const auto blocks = lora_blocks(small_config(), {.r = 4, .target_modules = {"v_proj", "q_proj"}});
  const std::string prefix = "base_model.model.model.layers.0.self_attn.";

  EXPECT_EQ(
      names_of(blocks[0]),
      (std::vector<std::string>{prefix + "q_proj.lora_A.weight", prefix + "v_proj.lora_A.weight",
                                prefix + "q_proj.lora_B.weight", prefix + "v_proj.lora_B.weight"}));
  EXPECT_EQ(blocks[0].tensors[2].shape, (std::vector<int64_t>{18, 4}));
  EXPECT_EQ(blocks[0].tensors[3].base, "model.layers.0.self_attn.v_proj.weight");
  ASSERT_EQ(blocks[0].groups.size(), 1U);
  EXPECT_EQ(blocks[0].groups[0].columns, 20);
  EXPECT_EQ(blocks[0].groups[0].rows[1].begin, 24);  // behind the rows of q and k
  EXPECT_EQ(blocks[0].groups[0].rows[1].count, 6);
}

TEST(LoraBlocks, RefuseATargetThatNoBlockHas) {
  EXPECT_EQ(test::message_of<ConfigError>([] {
              lora_blocks(small_config(), {.target_modules = {"q_proj", "lm_head"}});
            }),
            "target_modules: expected all-linear or some of q_proj, k_proj, v_proj, o_proj, "
            "gate_proj, up_proj, down_proj, found lm_head");
}

TEST(LoraBlocks, BeginAsPeftDoes) {
  const auto block = lora_blocks(small_config(), {.r = 4})[0];
  const LoraTensor& first = block.tensors[0];
  std::vector<float> values(80), again(80), other(80);

  fill_new_adapter(first, 7, values);
  fill_new_adapter(first, 7, again);
  fill_new_adapter(first, 8, other);

  const auto [low, high] = std::ranges::minmax_element(values);
  const float bound = 1.0F / std::sqrt(20.0F);
  EXPECT_GT(*low, -bound);
  EXPECT_LT(*high, bound);
  EXPECT_LT(*low, -0.7F * bound);
  EXPECT_GT(*high, 0.7F * bound);
  EXPECT_EQ(values, again);
  EXPECT_NE(values, other);
  fill_new_adapter(block.tensors[4], 7, values);
  EXPECT_FALSE(block.tensors[4].is_first);
  EXPECT_TRUE(std::ranges::all_of(values, [](float value) { return value == 0.0F; }));
}

TEST(LoraOptions, ScaleByTheRankOrItsRoot) {
  EXPECT_DOUBLE_EQ((LoraOptions{.r = 4, .alpha = 8}).scale(), 2.0);
  EXPECT_DOUBLE_EQ((LoraOptions{.r = 4, .alpha = 8, .rslora = true}).scale(), 4.0);
}

}  // namespace
}  // namespace xkde
