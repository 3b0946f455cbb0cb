#include "core/model/pretrained/gguf_weights.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/model/families/family.h"
#include "tests/support/byte_file.h"

namespace xkde {
namespace {

using testing::HasSubstr;

/// A GGUF file of one block with a head of 4, in which element i of each tensor is i. D = E = 4.
std::string tiny_gguf(const std::string& architecture, uint32_t blocks = 1) {
  constexpr uint32_t kUint32 = 4, kFloat32 = 6, kString = 8;
  struct Tensor {
    std::string name;
    uint64_t rows;
  };
  const std::vector<Tensor> tensors = {{"token_embd.weight", 3},
                                       {"blk.0.attn_q.weight", 4},
                                       {"blk.0.attn_k.weight", 4},
                                       {"blk.0.attn_v.weight", 4},
                                       {"blk.9.strange.weight", 1}};
  const auto key = [&](const char* suffix) { return architecture + "." + suffix; };
  ByteFile file;
  file.raw("GGUF").number(uint32_t{3}).number(uint64_t{tensors.size()}).number(uint64_t{7});
  file.string("general.architecture").number(kString).string(architecture);
  const std::vector<std::pair<const char*, uint32_t>> sizes = {{"embedding_length", 4},
                                                               {"feed_forward_length", 6},
                                                               {"block_count", blocks},
                                                               {"attention.head_count", 1},
                                                               {"context_length", 8}};
  for (const auto& [name, size] : sizes) file.string(key(name)).number(kUint32).number(size);
  file.string(key("attention.layer_norm_rms_epsilon")).number(kFloat32).number(1e-5F);
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    file.string(tensor.name).number(uint32_t{2}).number(uint64_t{4}).number(tensor.rows);
    file.number(uint32_t{0}).number(offset);
    offset += (tensor.rows * 16 + 31) / 32 * 32;
  }
  file.pad_to(32);
  for (const Tensor& tensor : tensors) {
    for (uint64_t i = 0; i < 4 * tensor.rows; ++i) file.number(static_cast<float>(i));
    file.pad_to(32);
  }
  return file.bytes();
}

/// The first element of each of a tensor's four rows, divided by 4: the row of the file.
std::vector<float> rows_of(const WeightFile& weights, const std::string& name) {
  std::vector<float> values(16);
  weights.read_f32(name, 0, values);
  return {values[0] / 4, values[4] / 4, values[8] / 4, values[12] / 4};
}

TEST(GgufWeights, RotaryPairsOfALlamaArePartedAndOtherRowsStay) {
  for (const std::string architecture : {"llama", "qwen2"}) {
    const TemporaryFile bytes("tiny.gguf", tiny_gguf(architecture));
    const auto file = std::make_shared<const GgufFile>(GgufFile::open(bytes.path()));
    const ModelConfig config = config_from_gguf(*file);
    const auto weights = open_gguf_weights(file, config);

    const std::vector<float> as_stored = {0, 1, 2, 3};
    const std::vector<float> parted = {0, 2, 1, 3};
    const std::vector<float> expected = architecture == "llama" ? parted : as_stored;
    EXPECT_EQ(config.family, &family_named(architecture));
    EXPECT_EQ(rows_of(*weights, "model.layers.0.self_attn.q_proj.weight"), expected);
    EXPECT_EQ(rows_of(*weights, "model.layers.0.self_attn.k_proj.weight"), expected);
    EXPECT_EQ(rows_of(*weights, "model.layers.0.self_attn.v_proj.weight"), as_stored);
    EXPECT_EQ(weights->shape("model.embed_tokens.weight"), (std::vector<int64_t>{3, 4}));
    EXPECT_TRUE(weights->has("blk.9.strange.weight")) << "an unknown tensor keeps its own name";
  }
}

TEST(GgufWeights, APartIsThatOfTheWholeWhateverTheOrderOfTheRows) {
  const TemporaryFile bytes("tiny.gguf", tiny_gguf("llama"));
  const auto file = std::make_shared<const GgufFile>(GgufFile::open(bytes.path()));
  const auto weights = open_gguf_weights(file, config_from_gguf(*file));
  for (const std::string name : {"q_proj", "v_proj"}) {
    const std::string full = "model.layers.0.self_attn." + name + ".weight";
    std::vector<float> whole(16);
    weights->read_f32(full, 0, whole);
    for (size_t first = 0; first <= whole.size(); ++first) {
      for (size_t count = 0; first + count <= whole.size(); ++count) {
        std::vector<float> part(count);
        weights->read_f32(full, static_cast<int64_t>(first), part);
        EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + std::ptrdiff_t(first)))
            << name << " from " << first << ", " << count;
      }
    }
  }
}

TEST(GgufWeights, AnyNumberOfBlocksEndsWithTheFirstThatIsMissing) {
  const TemporaryFile bytes("tiny.gguf", tiny_gguf("llama", 2000000000));
  const auto file = std::make_shared<const GgufFile>(GgufFile::open(bytes.path()));
  const auto weights = open_gguf_weights(file, config_from_gguf(*file));

  EXPECT_TRUE(weights->has("model.layers.0.self_attn.v_proj.weight"));
  EXPECT_FALSE(weights->has("model.layers.1.self_attn.v_proj.weight"));
}

TEST(GgufWeights, AnUnknownArchitectureIsRefusedWithThoseThatAreKnown) {
  const TemporaryFile bytes("tiny.gguf", tiny_gguf("gpt2"));
  const GgufFile file = GgufFile::open(bytes.path());

  try {
    config_from_gguf(file);
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("general.architecture: expected llama, qwen2, qwen3, "
                                        "gemma2, gemma3 or phi3, found gpt2"));
  }
}

}  // namespace
}  // namespace xkde
