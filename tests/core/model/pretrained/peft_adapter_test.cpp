#include "core/model/pretrained/peft_adapter.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

fs::path golden(const std::string& model) {
  return fs::path(XKDE_SOURCE_DIR) / "tests/golden/lora" / model;
}

ModelConfig config_of(const std::string& model) {
  const fs::path file = fs::path(XKDE_SOURCE_DIR) / "tests/golden/models" / model / "config.json";
  return ModelConfig::from_json(read_json_file(file), file.string());
}

/// A copy of a golden adapter that may be damaged.
class PeftFolder : public testing::Test {
 protected:
  PeftFolder() {
    for (const char* name : {"adapter_config.json", "adapter_model.safetensors"})
      fs::copy_file(golden("qwen2_tied") / name, folder_.path() / name);
  }
  void set(const std::string& key, const Json& value) {
    const fs::path file = folder_.path() / "adapter_config.json";
    Json config = read_json_file(file);
    config[key] = value;
    std::ofstream(file) << config.dump();
  }
  /// Tensors of the adapter's file, which a test may change.
  std::map<std::string, std::vector<int64_t>> shapes() const {
    std::map<std::string, std::vector<int64_t>> shapes;
    const auto file = SafetensorsFile::open(folder_.path() / "adapter_model.safetensors");
    for (const auto& tensor : file.tensors()) shapes[tensor.name] = tensor.shape;
    return shapes;
  }
  void write(const std::map<std::string, std::vector<int64_t>>& shapes, float value = 0.5F) {
    std::vector<TensorToWrite> tensors;
    for (const auto& [name, shape] : shapes) tensors.push_back({name, shape});
    write_safetensors(
        folder_.path() / "adapter_model.safetensors", tensors, "F32",
        [&](const std::string&, std::span<float> out) { std::ranges::fill(out, value); });
  }
  std::string refusal(const std::string& model = "qwen2_tied") {
    const std::string text =
        test::message_of<DataError>([&] { PeftAdapter::open(folder_.path(), config_of(model)); });
    const std::string prefix = folder_.path().string() + "/";
    return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
  }

  test::TempFolder folder_;
};

TEST_F(PeftFolder, OpensWhatPeftSaves) {
  const PeftAdapter adapter = PeftAdapter::open(folder_.path(), config_of("qwen2_tied"));

  EXPECT_EQ(adapter.options().r, 3);
  EXPECT_EQ(adapter.options().alpha, 5.0);
  EXPECT_TRUE(adapter.options().rslora);
  EXPECT_EQ(adapter.options().target_modules,
            (std::vector<std::string>{"down_proj", "q_proj", "up_proj", "v_proj"}));
}

TEST_F(PeftFolder, ComesBackAsItWasWritten) {
  const ModelConfig config = config_of("qwen2_tied");
  const PeftAdapter first = PeftAdapter::open(folder_.path(), config);
  const fs::path out = folder_.path() / "out";
  write_peft_adapter(
      out, "some/model", config, first.options(),
      [&](const std::string& name, std::span<float> values) { first.read(name, 0, values); });

  const PeftAdapter second = PeftAdapter::open(out, config);

  EXPECT_EQ(second.options().r, 3);
  EXPECT_EQ(second.options().scale(), first.options().scale());
  for (const LoraBlock& block : lora_blocks(config, first.options())) {
    for (const LoraTensor& tensor : block.tensors) {
      std::vector<float> a(static_cast<size_t>(tensor.shape[0] * tensor.shape[1])), b(a.size());
      first.read(tensor.name, 0, a);
      second.read(tensor.name, 0, b);
      EXPECT_EQ(a, b) << tensor.name;
    }
  }
  EXPECT_EQ(read_json_file(out / "adapter_config.json")["lora_alpha"], 5);
}

TEST_F(PeftFolder, RefusesTheAdapterOfAnotherModel) {
  EXPECT_EQ(refusal("llama_untied"),
            "adapter_model.safetensors: tensor "
            "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight: expected [48, 3], found "
            "[40, 3]");
  EXPECT_EQ(refusal("qwen2_untied"),
            "adapter_model.safetensors: tensor "
            "base_model.model.model.layers.2.mlp.down_proj.lora_A.weight: expected adapters of "
            "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj in 2 layers alone, "
            "found this one");
}

TEST_F(PeftFolder, RefusesAnotherRank) {
  set("r", 8);
  EXPECT_EQ(refusal(),
            "adapter_model.safetensors: tensor "
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight: expected [8, 32], "
            "found [3, 32]");
}

TEST_F(PeftFolder, RefusesALayerThatIsMissing) {
  auto tensors = shapes();
  tensors.erase("base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight");
  write(tensors);
  EXPECT_EQ(refusal(),
            "adapter_model.safetensors: tensor "
            "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight: expected it beside "
            "those of other layers, found none");
}

TEST_F(PeftFolder, RefusesWhatIsNoLayerOfABlock) {
  auto tensors = shapes();
  tensors["base_model.model.lm_head.lora_A.weight"] = {3, 32};
  write(tensors);
  EXPECT_TRUE(refusal().find("tensor base_model.model.lm_head.lora_A.weight: expected adapters") !=
              std::string::npos);
  write({{"weight", {3, 32}}});
  EXPECT_EQ(refusal(),
            "adapter_model.safetensors: expected lora_A and lora_B of at least one layer, found "
            "none");
}

TEST_F(PeftFolder, RefusesWhatItWouldComputeOtherwise) {
  const std::vector<std::tuple<std::string, Json, std::string>> cases = {
      {"peft_type", "IA3", "expected LORA, found IA3"},
      {"use_dora", true, "expected false, found true"},
      {"bias", "all", "expected \"none\", found \"all\""},
      {"rank_pattern", {{"q_proj", 8}}, "expected {}, found {\"q_proj\":8}"},
      {"modules_to_save", {"lm_head"}, "expected null, found [\"lm_head\"]"},
      {"init_lora_weights", "pissa",
       "expected true, false, \"gaussian\", \"eva\" or \"orthogonal\", found \"pissa\""},
      {"lora_dropout", 1.0, "expected a number in [0, 1), found 1.0"},
      {"r", 0, "expected a positive integer, found 0"},
  };
  for (const auto& [key, value, message] : cases) {
    const Json before = read_json_file(folder_.path() / "adapter_config.json")[key];
    set(key, value);
    EXPECT_EQ(refusal(), "adapter_config.json: " + key + ": " + message);
    set(key, before);
  }
}

TEST_F(PeftFolder, NamesWhatIsMissing) {
  fs::remove(folder_.path() / "adapter_model.safetensors");
  EXPECT_EQ(test::message_of<MissingInputError>([&] { PeftAdapter::files(folder_.path()); }),
            folder_.path().string() +
                ": expected a PEFT adapter with adapter_config.json and adapter_model.safetensors, "
                "found no adapter_model.safetensors");
  std::ofstream(folder_.path() / "adapter_model.bin") << "pickle";
  EXPECT_NE(test::message_of<MissingInputError>([&] {
              PeftAdapter::files(folder_.path());
            }).find("found only pickled ones"),
            std::string::npos);
}

TEST_F(PeftFolder, RefusesValuesThatAreNotFinite) {
  const ModelConfig config = config_of("qwen2_tied");
  write(shapes(), std::numeric_limits<float>::infinity());
  const PeftAdapter adapter = PeftAdapter::open(folder_.path(), config);
  std::vector<float> values(96);
  EXPECT_NE(test::message_of<DataError>([&] {
              adapter.read("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", 0,
                           values);
            }).find("expected finite values, found inf at element 0"),
            std::string::npos);
}

}  // namespace
}  // namespace xkde
