#include "core/model/decoder.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "core/io/safetensors.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

std::map<std::string, at::Tensor> read_tensors(const fs::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  std::map<std::string, at::Tensor> tensors;
  for (const SafetensorsFile::Tensor& entry : file.tensors()) {
    at::Tensor tensor = at::empty(entry.shape, at::kFloat);
    file.read_f32(entry, {tensor.mutable_data_ptr<float>(), static_cast<size_t>(tensor.numel())});
    tensors[entry.name] = tensor;
  }
  return tensors;
}

at::Tensor flat_unit(const DecoderUnit& unit, const std::map<std::string, at::Tensor>& weights) {
  std::vector<at::Tensor> parts;
  for (const UnitTensor& tensor : unit.tensors) {
    parts.push_back(weights.at(tensor.name).reshape({-1}));
  }
  return at::cat(parts);
}

class GoldenModel : public testing::TestWithParam<const char*> {
 protected:
  fs::path folder() const { return fs::path(XKDE_SOURCE_DIR) / "tests/golden/models" / GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(LlamaAndQwen2, GoldenModel,
                         testing::Values("llama_untied", "llama_tied_head_dim", "llama_llama3_rope",
                                         "llama_linear_rope_biases", "qwen2_tied", "qwen2_untied"));

TEST_P(GoldenModel, LogitsEqualThoseOfTransformers) {
  const fs::path config_file = folder() / "config.json";
  const Decoder decoder(ModelConfig::from_json(read_json_file(config_file), config_file.string()));
  const auto weights = read_tensors(folder() / "model.safetensors");
  const auto golden = read_tensors(folder() / "golden.safetensors");
  std::vector<TreeSequence> sequences;
  for (const Json& sequence : read_json_file(folder() / "golden.json")["sequences"]) {
    sequences.push_back({sequence["ids"].get<std::vector<int64_t>>(), {}});
  }

  for (size_t i = 0; i < sequences.size(); ++i) {
    const PackedBatch batch = pack_sequences({&sequences[i], 1}, {}).front();
    const BlockContext context = decoder.context(batch, at::kFloat);
    at::Tensor embedding = decoder.parameters(0, flat_unit(decoder.units()[0], weights)).front();
    at::Tensor x = at::embedding(embedding, batch.input_ids);
    for (size_t unit = 1; unit < decoder.head_unit(); ++unit) {
      x = decoder.block(decoder.parameters(unit, flat_unit(decoder.units()[unit], weights)), x,
                        context);
    }
    const auto head =
        decoder.parameters(decoder.head_unit(), flat_unit(decoder.units().back(), weights));
    const at::Tensor matrix = decoder.tied() ? embedding : head.back();
    const at::Tensor logits = at::linear(decoder.final_norm(x, head.front()), matrix);

    const at::Tensor& expected = golden.at("logits." + std::to_string(i));
    // fp32 with sums in another order.
    EXPECT_LT((logits - expected).abs().max().item<float>(), 1e-4F) << "sequence " << i;
  }
}

TEST(Decoder, NamesEveryTensorOnce) {
  ModelConfig config;
  config.vocab_size = 11;
  config.hidden_size = 8;
  config.intermediate_size = 12;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.head_dim = 4;

  const Decoder decoder(config);

  ASSERT_EQ(decoder.units().size(), 4U);
  EXPECT_EQ(decoder.units()[1].tensors.size(), 9U);
  EXPECT_EQ(decoder.units()[3].tensors.back().name, "lm_head.weight");
  EXPECT_FALSE(decoder.units()[1].tensors.front().decays);
}

}  // namespace
}  // namespace xkde
