#include "core/model/pretrained/pretrained.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/model/families/family.h"
#include "core/model/pretrained/held_blocks.h"
#include "tests/core/model/pretrained/exported_folder.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Pretrained : public test::ExportedFolder {};

TEST_F(Pretrained, AnExportedFolderOpensWithTheSameTensors) {
  for (const int64_t shard_bytes : {int64_t{1} << 20, int64_t{100}}) {
    const fs::path path = exported(shard_bytes);

    const PretrainedModel model = open_pretrained(path);

    EXPECT_EQ(fs::exists(path / "model.safetensors.index.json"), shard_bytes == 100);
    for (const UnitTensor& tensor : tensors_of(model.config)) {
      std::vector<float> got(static_cast<size_t>(tensor.numel())), expected(got.size());
      model.weights->read_f32(tensor.name, 0, got);
      fill(tensor.name, expected);
      EXPECT_EQ(got, expected) << tensor.name;
    }
    EXPECT_EQ(model.tokenizer.encode("abd"), (std::vector<int64_t>{0, 1, 3}));
  }
}

TEST_F(Pretrained, AMissingPartIsNamed) {
  EXPECT_THAT(error_of(folder_ / "absent"),
              HasSubstr("expected a Hugging Face folder or a .gguf file"));
  fs::remove(exported() / "config.json");
  EXPECT_THAT(error_of(folder_ / "model"), HasSubstr("config.json"));
  fs::remove(exported() / "tokenizer.json");
  EXPECT_THAT(error_of(folder_ / "model"), HasSubstr("tokenizer.json"));
  fs::remove(exported() / "model.safetensors");
  EXPECT_THAT(error_of(folder_ / "model"), HasSubstr("found neither"));
  std::ofstream(folder_ / "model/pytorch_model.bin") << "x";
  EXPECT_THAT(error_of(folder_ / "model"), HasSubstr("pickled file (convert it once"));
}

TEST_F(Pretrained, AWrongShapeOrTensorIsNamed) {
  rewrite(exported() / "config.json", "\"intermediate_size\": 6", "\"intermediate_size\": 7");
  EXPECT_THAT(error_of(folder_ / "model"),
              HasSubstr("mlp.gate_proj.weight: expected shape [7, 4], found [6, 4]"));
  rewrite(exported() / "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
  EXPECT_THAT(error_of(folder_ / "model"), HasSubstr("expected tensor model.layers.2."));
}

TEST_F(Pretrained, TensorsOfAnotherModelAreLeftOutWithOneWarning) {
  rewrite(exported() / "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
  testing::internal::CaptureStderr();

  const PretrainedModel model = open_pretrained(folder_ / "model");

  EXPECT_EQ(model.config.num_hidden_layers, 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "warning: " + model.path.string() +
                ": left out what a llama model of this config does not have: "
                "model.layers.1.input_layernorm.weight, model.layers.1.mlp.down_proj.weight, "
                "model.layers.1.mlp.gate_proj.weight, model.layers.1.mlp.up_proj.weight, "
                "model.layers.1.post_attention_layernorm.weight and 4 more\n");
}

TEST_F(Pretrained, AHeadOfItsOwnUntiesAModel) {
  rewrite(exported() / "config.json", "\"tie_word_embeddings\": false",
          "\"tie_word_embeddings\": true");
  testing::internal::CaptureStderr();

  const PretrainedModel model = open_pretrained(folder_ / "model");

  EXPECT_FALSE(model.config.tie_word_embeddings);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("config.json says tie_word_embeddings, but lm_head.weight and "
                        "model.embed_tokens.weight differ: they are read as two"));
}

TEST_F(Pretrained, AHeadThatIsTheEmbeddingStaysTied) {
  const auto same = [](const std::string& name, std::span<float> out) {
    fill(name == "lm_head.weight" ? "model.embed_tokens.weight" : name, out);
  };
  rewrite(exported(1 << 20, same) / "config.json", "\"tie_word_embeddings\": false",
          "\"tie_word_embeddings\": true");
  testing::internal::CaptureStderr();

  const PretrainedModel model = open_pretrained(folder_ / "model");

  EXPECT_TRUE(model.config.tie_word_embeddings);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(Pretrained, ATensorThatCannotBeDecodedIsRefusedBeforeAnyIsRead) {
  const fs::path file = exported() / "model.safetensors";
  for (const std::string dtype : {"F8_E4M3", "I8"}) {
    exported();
    rewrite_dtype(file, dtype);
    EXPECT_THAT(error_of(folder_ / "model"),
                HasSubstr("model.safetensors: tensor model.norm.weight: expected F32, F16, BF16 or "
                          "F64, found " +
                          dtype + "; take the model's folder in bf16"));
  }
}

TEST_F(Pretrained, TensorsAndNotTheConfigSayWhatIsQuantized) {
  const std::string key = R"("quantization_config": {"quant_method": "gptq"}, "vocab_size")";
  rewrite(exported() / "config.json", "\"vocab_size\"", key);
  EXPECT_EQ(error_of(folder_ / "model"), "no error");

  rewrite(folder_ / "model/model.safetensors", "layers.0.mlp.up_proj.weight",
          "layers.0.mlp.up_proj.qeight");

  EXPECT_THAT(error_of(folder_ / "model"),
              HasSubstr("config.json: quantization_config: expected weights in full precision, "
                        "found \"gptq\" and no tensor model.layers.0.mlp.up_proj.weight"));
}

TEST_F(Pretrained, AnyNumberOfLayersIsHeldAgainstTheFile) {
  rewrite(exported() / "config.json", "\"num_hidden_layers\": 2",
          "\"num_hidden_layers\": 2000000000");
  EXPECT_THAT(error_of(folder_ / "model"),
              HasSubstr("expected tensor model.layers.2.input_layernorm.weight [4], found none"));
}

TEST_F(Pretrained, ATokenBeyondTheEmbeddingIsNamed) {
  rewrite(exported() / "tokenizer.json", "\"d\": 3", "\"d\": 2147483646");
  EXPECT_THAT(error_of(folder_ / "model"),
              HasSubstr("tokenizer.json: token \"d\": expected an id below the 4 rows of the "
                        "embedding, found 2147483646; add rows once with transformers: "
                        "model.resize_token_embeddings(len(tokenizer))"));
  rewrite(exported() / "tokenizer.json", "\"added_tokens\": []",
          R"("added_tokens": [{"id": 4, "content": "<|im_start|>", "single_word": false,
              "lstrip": false, "rstrip": false, "normalized": false, "special": true}])");
  EXPECT_THAT(error_of(folder_ / "model"),
              HasSubstr("tokenizer.json: token \"<|im_start|>\": expected an id below the 4 rows"));
}

TEST_F(Pretrained, ATokenThatNoTextGivesNeedsNoRow) {
  rewrite(exported() / "tokenizer.json", "\"d\": 3", "\"d\": 3, \"dab\": 4");
  EXPECT_EQ(error_of(folder_ / "model"), "no error");
}

TEST_F(Pretrained, AnIndexNamesFilesOfItsFolderOnly) {
  for (const std::string name : {"../outside.safetensors", "/etc/passwd", "..", "a/b", ""}) {
    const fs::path path = exported(100);
    const std::string first = "model-00001-of-";
    rewrite(path / "model.safetensors.index.json", "\"" + first,
            "\"" + name + "\", \"x\": \"" + first);
    EXPECT_THAT(error_of(path),
                HasSubstr("expected a file of the model's folder, found \"" + name + "\""));
  }
}

/// As huggingface_hub keeps a model: a folder of links to files named by their hash.
class CachedModel : public Pretrained {
 protected:
  fs::path cached() const {
    const fs::path blobs = folder_ / "hub/models--a--b/blobs";
    const fs::path snapshot = folder_ / "hub/models--a--b/snapshots/0123";
    fs::create_directories(blobs);
    fs::create_directories(snapshot);
    int number = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(exported(100))) {
      const std::string blob = "blob" + std::to_string(number++);
      fs::rename(entry.path(), blobs / blob);
      fs::create_symlink(fs::path("../../blobs") / blob, snapshot / entry.path().filename());
    }
    return snapshot;
  }
};

TEST_F(CachedModel, OpensByItsLinks) {
  const PretrainedModel model = open_pretrained(cached());

  std::vector<float> got(8), expected(8);
  model.weights->read_f32("model.layers.1.self_attn.k_proj.weight", 0, got);
  fill("model.layers.1.self_attn.k_proj.weight", expected);
  EXPECT_EQ(got, expected);
}

TEST_F(CachedModel, ALinkOutOfTheCacheIsRefused) {
  const fs::path snapshot = cached();
  const std::string name = first_shard(snapshot);
  fs::rename(fs::canonical(snapshot / name), folder_ / "elsewhere");
  fs::remove(snapshot / name);
  fs::create_symlink(folder_ / "elsewhere", snapshot / name);

  EXPECT_THAT(error_of(snapshot), HasSubstr(name + ": expected a file of the cache "));
}

TEST_F(Pretrained, ALinkOutOfAFolderThatIsNoCacheIsFollowed) {
  const fs::path path = exported(100);
  const std::string name = first_shard(path);
  fs::rename(path / name, folder_ / "elsewhere");
  fs::create_symlink(folder_ / "elsewhere", path / name);

  EXPECT_EQ(error_of(path), "no error");
}

TEST_F(Pretrained, AChatTemplateHasItsFileOfEitherKind) {
  const fs::path path = exported();
  EXPECT_EQ(open_pretrained(path).chat_template, "");
  std::ofstream(path / "chat_template.json") << R"({"chat_template": "old"})";
  EXPECT_EQ(open_pretrained(path).chat_template, "old");
  std::ofstream(path / "chat_template.jinja") << "new";
  EXPECT_EQ(open_pretrained(path).chat_template, "new");
}

TEST_F(Pretrained, EveryFileThatResultsFollowFromIsOneOfTheModels) {
  const fs::path path = exported();
  const auto names = [&path] {
    std::set<std::string> all;
    for (const fs::path& file : open_pretrained(path).files) all.insert(file.filename().string());
    return all;
  };
  std::set<std::string> expected{"config.json", "tokenizer.json", "tokenizer_config.json",
                                 "generation_config.json", "model.safetensors"};
  EXPECT_EQ(names(), expected);

  std::ofstream(path / "chat_template.json") << R"({"chat_template": "old"})";
  expected.insert("chat_template.json");
  EXPECT_EQ(names(), expected);
  std::ofstream(path / "chat_template.jinja") << "new";
  expected.erase("chat_template.json");  // which nothing reads any more
  expected.insert("chat_template.jinja");
  EXPECT_EQ(names(), expected);
  std::ofstream(path / "special_tokens_map.json") << R"({"eos_token": "d"})";
  expected.insert("special_tokens_map.json");
  EXPECT_EQ(names(), expected);
}

TEST_F(Pretrained, AFolderWithoutThemHasItsFilesInTheOrderThatFingerprintsHave) {
  const fs::path path = exported();
  fs::remove(path / "generation_config.json");
  const auto files = [&path](const std::vector<std::string>& names) {
    std::vector<fs::path> all;
    for (const std::string& name : names) all.push_back(path / name);
    return all;
  };
  EXPECT_EQ(open_pretrained(path).files,
            files({"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"}));

  fs::remove(path / "tokenizer_config.json");
  EXPECT_EQ(open_pretrained(path).files,
            files({"config.json", "tokenizer.json", "model.safetensors"}));
}

TEST_F(Pretrained, SpecialTokensAreThoseThatTransformersTakes) {
  const fs::path path = exported();
  const Json golden = read_json_file(XKDE_SOURCE_DIR "/tests/golden/special_tokens.json");
  for (const Json& one : golden.at("cases")) {
    std::ofstream(path / "tokenizer_config.json") << one.at("tokenizer_config").dump();
    std::ofstream(path / "special_tokens_map.json") << one.at("special_tokens_map").dump();
    const Tokenizer tokenizer = open_pretrained(path).tokenizer;
    const auto id_of = [](const std::optional<int64_t>& id) { return id ? Json(*id) : Json(); };
    const Json found = {{"bos_token_id", id_of(tokenizer.bos_id())},
                        {"eos_token_id", id_of(tokenizer.eos_id())},
                        {"pad_token_id", id_of(tokenizer.pad_id())}};
    EXPECT_EQ(found, one.at("expected")) << one.dump();
  }
}

TEST_F(Pretrained, AnAddedSpecialTokenGetsTheIdThatTransformersGives) {
  const fs::path path = exported();
  std::ofstream(path / "special_tokens_map.json") << R"({"pad_token": {"content": "[PAD]"}})";

  EXPECT_THAT(error_of(path), HasSubstr("token \"[PAD]\": expected an id below the 4 rows of the "
                                        "embedding, found 4"));
}

TEST_F(Pretrained, AGenerationConfigWithoutIdsIsNamed) {
  const fs::path file = exported() / "generation_config.json";
  std::ofstream(file) << R"({"eos_token_id": [1, "b"]})";
  EXPECT_THAT(error_of(folder_ / "model"),
              HasSubstr("generation_config.json: eos_token_id: expected a token id or a list of "
                        "them, found [1,\"b\"]"));
}

TEST_F(Pretrained, ATokenizerModelAloneIsRead) {
  const fs::path path = exported();
  fs::remove(path / "tokenizer.json");
  fs::copy_file(XKDE_SOURCE_DIR "/tests/golden/sentencepiece/llama/tokenizer.model",
                path / "tokenizer.model");

  // Its 560 pieces are more than the model has rows.
  EXPECT_THAT(error_of(path), HasSubstr("tokenizer.model: token "));
  EXPECT_THAT(error_of(path), HasSubstr("expected an id below the 4 rows of the embedding"));
}

TEST_F(Pretrained, ATensorThatIsNotFiniteIsNamed) {
  const fs::path file = exported() / "model.safetensors";
  const float nan = NAN;
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(-static_cast<int>(sizeof nan), std::ios::end);  // the last value of the last tensor
  stream.write(reinterpret_cast<const char*>(&nan), sizeof nan);
  stream.close();
  const PretrainedModel model = open_pretrained(folder_ / "model");
  int refused = 0;

  for (const UnitTensor& tensor : tensors_of(model.config)) {
    std::vector<float> out(static_cast<size_t>(tensor.numel()));
    const std::string message = test::message_of<DataError>(
        [&] { read_finite_f32(*model.weights, model.path.string(), tensor.name, 0, out); });
    if (message == "no error") continue;
    ++refused;
    EXPECT_THAT(message, HasSubstr(model.path.string() + ": tensor " + tensor.name +
                                   ": expected finite values, found "));
  }

  EXPECT_EQ(refused, 1);
}

TEST(RealModel, GgufWeightsOpenUnderHuggingFaceNames) {
  const char* given = std::getenv("XKDE_MODEL_DIR");
  const fs::path file = fs::path(given != nullptr ? given : XKDE_DEPS_DIR "/models") /
                        "SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not there (launch/setup.sh installs it)";

  const PretrainedModel model = open_pretrained(file);

  EXPECT_EQ(model.config.num_hidden_layers, 30);
  EXPECT_TRUE(model.config.tie_word_embeddings);
  EXPECT_EQ(model.weights->names().size(), 272U);
  EXPECT_EQ(model.tokenizer.vocab_size(), 49152);
}

TEST(RealModel, HeldBlocksHaveTheValuesOfTheFile) {
  const char* given = std::getenv("XKDE_MODEL_DIR");
  const fs::path file = fs::path(given != nullptr ? given : XKDE_DEPS_DIR "/models") /
                        "SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not there (launch/setup.sh installs it)";
  const PretrainedModel model = open_pretrained(file);

  int64_t in_blocks = 0;
  for (const int64_t unit : {0, 1, 31}) {  // embedding, a block whose rows change places, head
    for (const UnitTensor& tensor : unit_at(model.config, unit).tensors) {
      std::vector<float> expected(static_cast<size_t>(tensor.numel()));
      model.weights->read_f32(tensor.name, 0, expected);
      std::vector<float> got(expected.size());
      read_held_f32(*model.weights, "here", tensor.name, FrozenForm::kAsStored, got);
      EXPECT_EQ(got, expected) << tensor.name;
      if (held_blocks(*model.weights, tensor.name, FrozenForm::kAsStored) != nullptr) ++in_blocks;
    }
  }
  EXPECT_EQ(in_blocks, 8);
  check_held_blocks(model, FrozenForm::kAsStored, "here");
}

}  // namespace
}  // namespace xkde
