#include "core/model/pretrained/gguf_export.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/model/families/family.h"
#include "core/model/pretrained/gguf_weights.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/golden_models.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::TempFolder;
using testing::HasSubstr;

/// Values of both signs that tell their tensor's name.
void fill(const std::string& name, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = std::sin(static_cast<float>(name.size()) + static_cast<float>(i)) / 8;
  }
}

struct Exported {
  std::shared_ptr<const GgufFile> file;
  ModelConfig config;
  std::unique_ptr<WeightFile> weights;
};

Exported exported(const TempFolder& folder, const ModelConfig& config, GgufType type) {
  const fs::path path = folder.path() / "m.gguf";
  const Tokenizer tokenizer = test::byte_tokenizer();
  const std::string chat_template = "{{ messages }}";
  export_gguf(path,
              {.config = config,
               .tokenizer = tokenizer,
               .chat_template = chat_template,
               .generation_config = nullptr,
               .stop_ids = {}},
              type, fill);
  auto file = std::make_shared<const GgufFile>(GgufFile::open(path));
  const ModelConfig read = config_from_gguf(*file);
  return {file, read, open_gguf_weights(file, read)};
}

/// The largest difference of an element from what fill() gives.
float largest_error(const WeightFile& weights, const UnitTensor& tensor) {
  std::vector<float> expected(static_cast<size_t>(tensor.numel()));
  std::vector<float> found(expected.size());
  fill(tensor.name, expected);
  weights.read_f32(tensor.name, 0, found);
  float largest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::abs(found[i] - expected[i]));
  }
  return largest;
}

/// A model of tests/golden; a Gemma as those that are published are, since GGUF files do not say
/// the scale of scores and the order of layers.
ModelConfig usual_config(const std::string& name) {
  ModelConfig config = golden_config(name);
  if (config.family == &family_named("gemma3_text")) {
    config.windows.period = 6;
    config.windows.listed.clear();
  }
  if (name.starts_with("gemma")) {
    config.query_pre_attn_scalar = static_cast<double>(config.head_dim);
  }
  return config;
}

/// Models of tests/golden that GGUF files can describe.
const std::set<std::string> kDescribed = {"gemma2",
                                          "gemma3",
                                          "gemma3_layer_types",
                                          "llama_linear_rope_biases",
                                          "llama_llama3_rope",
                                          "llama_tied_head_dim",
                                          "llama_untied",
                                          "phi3_partial_longrope",
                                          "phi3_window",
                                          "qwen2_tied",
                                          "qwen2_untied",
                                          "qwen3_tied"};

TEST(GgufExport, EveryFamilyReadsBackOrIsRefusedByName) {
  for (const std::string& name : golden_models()) {
    const TempFolder folder;
    const ModelConfig config = usual_config(name);
    if (!kDescribed.contains(name)) {
      const std::string message =
          test::message_of<ConfigError>([&] { exported(folder, config, GgufType::kF32); });
      EXPECT_THAT(message, HasSubstr("GGUF export: expected ")) << name;
      EXPECT_THAT(message, HasSubstr("convert_hf_to_gguf.py")) << name;
      EXPECT_TRUE(fs::is_empty(folder.path())) << name;
      continue;
    }
    const Exported model = exported(folder, config, GgufType::kF32);
    EXPECT_EQ(model.config.family, config.family) << name;
    EXPECT_EQ(model.weights->names().size(), tensors_of(config).size()) << name;
    for (const UnitTensor& tensor : tensors_of(config)) {
      // One more and one less again rounds twice, at a size below 2.
      const float rounding = tensor.gguf_form == GgufForm::kPlusOne ? 1.2e-7F : 0.0F;
      EXPECT_LE(largest_error(*model.weights, tensor), rounding) << name << ": " << tensor.name;
    }
    EXPECT_EQ(model.file->string("tokenizer.chat_template"), "{{ messages }}");
  }
}

TEST(GgufExport, MatricesHaveTheTypeAndVectorsAreFp32) {
  struct Case {
    GgufType type;
    float tolerance;  ///< of steps of the largest value, 1 / 8; fp16 rounds a step by its 2048th
  };
  for (const auto& [type, tolerance] :
       {Case{GgufType::kBF16, 0.125F / 256},
        Case{GgufType::kQ8_0, 0.125F / 127 * (0.5F + 127.0F / 2048)},
        Case{GgufType::kQ4_0, 0.125F / 8 * 1.01F}}) {
    const TempFolder folder;
    ModelConfig config = golden_config("llama_untied");
    config.hidden_size = 64;
    config.intermediate_size = 96;
    const Exported model = exported(folder, config, type);
    const std::string name(name_of(kGgufTypes, type));
    for (const GgufFile::Tensor& tensor : model.file->tensors()) {
      const bool is_output = type == GgufType::kQ4_0 && tensor.name == "output.weight";
      const std::string matrix = is_output ? "Q8_0" : name;  // for Q6_K, as rows are short
      EXPECT_EQ(tensor.dtype, tensor.shape.size() == 2 ? matrix : "F32") << tensor.name;
    }
    for (const UnitTensor& tensor : tensors_of(config)) {
      EXPECT_LE(largest_error(*model.weights, tensor), tolerance) << name << ": " << tensor.name;
    }
  }
}

TEST(GgufExport, RowsThatAreNoWholeBlocksAreRefused) {
  const TempFolder folder;
  ModelConfig config = golden_config("llama_untied");
  config.hidden_size = 64;
  config.intermediate_size = 48;
  for (const GgufType type : {GgufType::kQ8_0, GgufType::kQ4_0, GgufType::kQ4_K_M}) {
    const std::string message =
        test::message_of<ConfigError>([&] { exported(folder, config, type); });
    EXPECT_EQ(message,
              concat("GGUF export: expected rows of a multiple of 32 weights for ",
                     name_of(kGgufTypes, type),
                     ", found 48 in model.layers.0.mlp.down_proj.weight; F32 and BF16 hold any"));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(GgufExport, EveryEndOfAnAnswerIsReadBack) {
  const TempFolder folder;
  const fs::path path = folder.path() / "m.gguf";
  ModelConfig config = golden_config("llama_untied");
  config.eos_token_id = {1};
  const Tokenizer tokenizer = test::byte_tokenizer();
  export_gguf(path,
              {.config = config,
               .tokenizer = tokenizer,
               .chat_template = "",
               .generation_config = nullptr,
               .stop_ids = {1, 7, 1, 3}},
              GgufType::kF32, fill);
  EXPECT_EQ(config_from_gguf(GgufFile::open(path)).eos_token_id, (std::vector<int64_t>{1, 7, 3}));
}

/// How many tensors have each type.
std::map<std::string_view, int> mix_of(const ModelConfig& config, GgufType type) {
  std::map<std::string_view, int> mix;
  for (const UnitTensor& tensor : tensors_of(config)) {
    ++mix[gguf_tensor_type(config, tensor, type)];
  }
  return mix;
}

TEST(GgufExport, TypesAreMixedAsInPublishedFiles) {
  // Gemma 3 270M: the counts of the file that ggml-org published as Q4_K_M.
  ModelConfig gemma = usual_config("gemma3");
  gemma.hidden_size = 640;
  gemma.intermediate_size = 2048;
  gemma.num_hidden_layers = 18;
  gemma.num_attention_heads = 4;
  gemma.num_key_value_heads = 1;
  gemma.head_dim = 256;
  using Mix = std::map<std::string_view, int>;
  EXPECT_EQ(mix_of(gemma, GgufType::kQ4_K_M),
            (Mix{{"F32", 109}, {"Q5_0", 81}, {"Q4_K", 27}, {"Q8_0", 10}, {"Q6_K", 9}}));
  EXPECT_EQ(mix_of(gemma, GgufType::kQ4_0), (Mix{{"F32", 109}, {"Q4_0", 126}, {"Q8_0", 1}}));

  ModelConfig llama = golden_config("llama_untied");
  llama.hidden_size = 1024;
  llama.intermediate_size = 2816;
  llama.num_hidden_layers = 80;
  llama.num_attention_heads = llama.num_key_value_heads = 16;
  llama.head_dim = 64;
  EXPECT_EQ(mix_of(llama, GgufType::kQ4_K_M),
            (Mix{{"F32", 161}, {"Q4_K", 1 + 400 + 40}, {"Q5_K", 40}, {"Q6_K", 1 + 80}}));
  ModelConfig phi = golden_config("phi3_window");
  phi.hidden_size = phi.intermediate_size = 256;
  phi.num_attention_heads = phi.num_key_value_heads = 4;
  phi.head_dim = 64;
  EXPECT_EQ(mix_of(phi, GgufType::kQ4_K_M),
            (Mix{{"F32", 5}, {"Q4_K", 6}, {"Q5_K", 2}, {"Q6_K", 2}}));
}

TEST(GgufExport, AWeightThatTheTypeCannotHoldIsNamed) {
  const TempFolder folder;
  const Tokenizer tokenizer = test::byte_tokenizer();
  const ModelConfig config = golden_config("llama_untied");
  for (const auto& [type, value] :
       {std::pair{GgufType::kF32, INFINITY}, {GgufType::kBF16, 3.4e38F}, {GgufType::kBF16, NAN}}) {
    const std::string message = test::message_of<NumericError>([&, bad = value] {
      export_gguf(folder.path() / "m.gguf",
                  {.config = config,
                   .tokenizer = tokenizer,
                   .chat_template = "",
                   .generation_config = nullptr,
                   .stop_ids = {}},
                  type, [&](const std::string& name, std::span<float> out) {
                    fill(name, out);
                    if (name == "lm_head.weight") out[3] = bad;
                  });
    });
    EXPECT_THAT(message, HasSubstr("export: tensor lm_head.weight: expected finite values"));
    EXPECT_THAT(message, HasSubstr("at element 3"));
    EXPECT_TRUE(fs::is_empty(folder.path())) << "nothing is left of it";
  }
}

}  // namespace
}  // namespace xkde
