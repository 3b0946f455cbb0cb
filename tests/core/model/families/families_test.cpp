#include "core/model/families/families.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "core/model/families/family.h"
#include "tests/support/golden_models.h"

namespace xkde {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class GoldenModel : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, GoldenModel, testing::ValuesIn(golden_models()), golden_name);

TEST_P(GoldenModel, HasTheTensorsOfItsFamilyAndNoOthers) {
  const SafetensorsFile file =
      SafetensorsFile::open(golden_folder(GetParam()) / "model.safetensors");
  std::map<std::string, std::vector<int64_t>> found;
  for (const SafetensorsFile::Tensor& tensor : file.tensors()) found[tensor.name] = tensor.shape;

  std::map<std::string, std::vector<int64_t>> derived;
  for (const UnitTensor& tensor : tensors_of(golden_config(GetParam()))) {
    EXPECT_TRUE(derived.emplace(tensor.name, tensor.shape).second) << tensor.name << " comes twice";
  }

  EXPECT_EQ(derived, found);
}

TEST_P(GoldenModel, ConfigThatIsWrittenReadsBackEqual) {
  const ModelConfig config = golden_config(GetParam());

  const Json written = config.to_json(Dtype::kBFloat16);
  const ModelConfig again = ModelConfig::from_json(written, "written");

  EXPECT_EQ(again.family, config.family);
  EXPECT_EQ(again.to_json(Dtype::kBFloat16), written);
  EXPECT_EQ(written["architectures"], Json::array({config.family->architecture}));
  EXPECT_EQ(written["model_type"], config.family->model_type);
}

TEST_P(GoldenModel, GgufNamesAreDistinct) {
  std::set<std::string> names;
  const std::vector<UnitTensor> tensors = tensors_of(golden_config(GetParam()));

  for (const UnitTensor& tensor : tensors) names.insert(tensor.gguf_name);

  EXPECT_EQ(names.size(), tensors.size());
}

const UnitTensor& find(const std::vector<UnitTensor>& tensors, const std::string& name) {
  for (const UnitTensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  throw DataError("no tensor " + name);
}

TEST(Families, OnlyLlamaKeepsRotaryPairsTogetherInGguf) {
  const auto llama = tensors_of(golden_config("llama_linear_rope_biases"));
  const auto qwen = tensors_of(golden_config("qwen2_untied"));

  for (const char* name :
       {"model.layers.1.self_attn.q_proj.", "model.layers.1.self_attn.k_proj."}) {
    for (const char* kind : {"weight", "bias"}) {
      EXPECT_EQ(find(llama, std::string(name) + kind).gguf_form, GgufForm::kPairs) << name << kind;
      EXPECT_EQ(find(qwen, std::string(name) + kind).gguf_form, GgufForm::kAsIs) << name << kind;
    }
  }
  EXPECT_EQ(find(llama, "model.layers.1.self_attn.q_proj.bias").gguf_name, "blk.1.attn_q.bias");
  EXPECT_EQ(find(llama, "model.layers.1.self_attn.v_proj.weight").gguf_form, GgufForm::kAsIs);
}

TEST(Families, BiasesNeverDecayAndNormsOnlyInQwen2) {
  for (const std::string& model : golden_models()) {
    const ModelConfig config = golden_config(model);
    for (const UnitTensor& tensor : tensors_of(config)) {
      const bool is_norm = tensor.name.find("norm") != std::string::npos;
      const bool is_bias = tensor.name.ends_with(".bias");
      const bool expected = is_norm ? config.family == &family_named("qwen2") : !is_bias;
      EXPECT_EQ(tensor.decays, expected) << model << ": " << tensor.name;
    }
  }
}

TEST(Families, UnitsAreTheEmbeddingEachBlockAndTheHead) {
  const std::vector<DecoderUnit> units = units_of(golden_config("llama_untied"));

  EXPECT_EQ(units.front().name, "embedding");
  EXPECT_EQ(units[1].name, "block 0");
  EXPECT_EQ(units.back().name, "head");
  EXPECT_EQ(units[1].tensors.front().role, TensorRole::kInputNorm);
  EXPECT_EQ(units.back().tensors.back().role, TensorRole::kOutput);
}

TEST(Families, AnUnknownOneIsRefusedWithThoseThatAreKnown) {
  EXPECT_THAT([] { family_named("gpt2"); },
              ThrowsMessage<DataError>("model_type: expected llama, qwen2, qwen3, mistral, gemma2, "
                                       "gemma3_text or phi3, found gpt2"));
  // Files of a Mistral say that they are a Llama.
  EXPECT_THAT([] { family_by(&Family::gguf_architecture, "gpt2", "m.gguf: general.architecture"); },
              ThrowsMessage<DataError>("m.gguf: general.architecture: expected llama, qwen2, "
                                       "qwen3, gemma2, gemma3 or phi3, found gpt2"));
  EXPECT_THAT([] { family_by(&Family::gguf_architecture, "", "m.gguf"); },
              ThrowsMessage<DataError>(HasSubstr("found ")));
}

}  // namespace
}  // namespace xkde
