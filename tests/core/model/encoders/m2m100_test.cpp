#include "core/model/encoders/m2m100.h"

#include <cmath>
#include <map>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "core/io/safetensors.h"
#include "tests/core/text/error_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::error_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

namespace fs = std::filesystem;

using Ids = M2m100::Ids;
const fs::path kFolder = XKDE_SOURCE_DIR "/tests/golden/nllb";

/// The golden model with another value of one key of config.json.
fs::path changed_model(const test::TempFolder& folder, const std::string& key, const Json& value) {
  Json config = read_json_file(kFolder / "config.json");
  config[key] = value;
  folder.write("config.json", config.dump());
  fs::copy(kFolder / "model.safetensors", folder.path());
  return folder.path();
}

TEST(M2m100, LabelLossesOfABatchEqualThoseOfTransformersPaddedBatch) {
  const M2m100 model = M2m100::open(kFolder);
  const Json golden = read_json_file(kFolder / "golden.json");
  std::vector<Ids> sources;
  std::vector<Ids> labels;
  std::vector<int64_t> source_of;
  for (const Json& pair : golden.at("pairs")) {
    source_of.push_back(static_cast<int64_t>(sources.size()));
    sources.push_back(pair.at("source").get<Ids>());
    labels.push_back(pair.at("labels").get<Ids>());
  }

  const auto losses = model.label_losses(model.encode(sources), source_of, labels);

  double worst = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    const auto expected = golden["pairs"][i]["losses"].get<std::vector<double>>();
    ASSERT_EQ(losses[i].size(), expected.size());
    for (size_t j = 0; j < expected.size(); ++j) {
      worst = std::max(worst, std::abs(losses[i][j] - expected[j]));
    }
  }
  RecordProperty("largest_difference", std::to_string(worst));
  EXPECT_LT(worst, 1e-4);
}

TEST(M2m100, ResultsDoNotDependOnTheRestOfABatch) {
  const M2m100 model = M2m100::open(kFolder);
  const std::vector<Ids> sources = {{333, 80, 2}, {324, 5, 6, 7, 8, 2}};
  const std::vector<Ids> labels = {{324, 80, 93, 2}, {330, 2}, {324, 9, 2}};

  const auto together =
      model.label_losses(model.encode(sources), std::vector<int64_t>{1, 0, 1}, labels);
  const auto alone =
      model.label_losses(model.encode({&sources[1], 1}), std::vector<int64_t>{0}, {&labels[2], 1});

  ASSERT_EQ(together.size(), 3U);
  for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(together[2][j], alone[0][j], 1e-5);
}

/// Every row of the embedding `times` times: all logits come `times` times, a loss grows by its
/// log.
fs::path repeated_vocabulary(const test::TempFolder& folder, int64_t times) {
  const SafetensorsFile file = SafetensorsFile::open(kFolder / "model.safetensors");
  std::map<std::string, SafetensorsFile::Tensor> sources;
  std::vector<TensorToWrite> tensors;
  for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
    sources[tensor.name] = tensor;
    tensors.push_back({tensor.name, tensor.shape});
    if (tensor.name == "model.shared.weight") tensors.back().shape[0] *= times;
  }
  Json config = read_json_file(kFolder / "config.json");
  config["vocab_size"] = config["vocab_size"].get<int64_t>() * times;
  folder.write("config.json", config.dump());
  write_safetensors(folder.path() / "model.safetensors", tensors, "F32",
                    [&](const std::string& name, std::span<float> out) {
                      const size_t copies =
                          name == "model.shared.weight" ? static_cast<size_t>(times) : 1;
                      const size_t size = out.size() / copies;
                      for (size_t i = 0; i < copies; ++i) {
                        file.read_f32(sources.at(name), out.subspan(i * size, size));
                      }
                    });
  return folder.path();
}

TEST(M2m100, LossesOverSeveralBlocksOfTheVocabularyAddUp) {
  const test::TempFolder folder;
  const M2m100 small = M2m100::open(kFolder);
  const M2m100 large = M2m100::open(repeated_vocabulary(folder, 13));  // 4368 tokens, three blocks
  const std::vector<Ids> source = {{333, 80, 2}};
  const std::vector<Ids> labels = {{324, 80, 93, 2}};
  const std::vector<int64_t> source_of = {0};

  const auto one = small.label_losses(small.encode(source), source_of, labels);
  const auto all = large.label_losses(large.encode(source), source_of, labels);

  for (size_t j = 0; j < 4; ++j) EXPECT_NEAR(all[0][j], one[0][j] + std::log(13.0), 1e-5);
}

TEST(M2m100, RefusesAnotherModelTypeNamingFileExpectedAndFound) {
  const test::TempFolder folder;
  const fs::path path = changed_model(folder, "model_type", "marian");

  EXPECT_THAT(error_of([&] { M2m100::open(path); }),
              AllOf(StartsWith("DataError"), HasSubstr("config.json: model_type"),
                    HasSubstr("\"m2m_100\""), HasSubstr("marian")));
}

TEST(M2m100, RefusesWeightsOfAnotherShape) {
  const test::TempFolder folder;
  const fs::path path = changed_model(folder, "vocab_size", 400);

  EXPECT_THAT(error_of([&] { M2m100::open(path); }),
              AllOf(StartsWith("DataError"), HasSubstr("model.shared.weight"),
                    HasSubstr("expected shape [400, 24], found [336, 24]")));
}

TEST(M2m100, AnyConfigIsHeldAgainstTheFileBeforeMemoryIsAskedFor) {
  for (const auto& [key, value, part] :
       {std::tuple{"d_model", 1'999'999'992, "model.shared.weight: expected shape"},
        {"vocab_size", 2'000'000'000, "model.shared.weight: expected shape"},
        {"encoder_ffn_dim", 2'000'000'000, "fc1.weight: expected shape [2000000000, 24]"},
        {"encoder_layers", 2'000'000'000, "expected tensor model.encoder.layers."},
        {"decoder_layers", 2'000'000'000, "expected tensor model.decoder.layers."}}) {
    const test::TempFolder folder;
    const fs::path path = changed_model(folder, key, value);

    EXPECT_THAT(error_of([&] { M2m100::open(path); }),
                AllOf(StartsWith("DataError"), HasSubstr(part)));
    EXPECT_THAT(error_of([&] { M2m100::check(path); }),
                AllOf(StartsWith("DataError"), HasSubstr(part)));
  }
}

TEST(M2m100, IdsOfTheConfigAreInTheVocabulary) {
  const test::TempFolder folder;
  const fs::path path = changed_model(folder, "decoder_start_token_id", 336);

  EXPECT_THAT(error_of([&] { M2m100::open(path); }),
              HasSubstr("decoder_start_token_id: expected an integer in [0, 335], found 336"));
}

TEST(M2m100, TellsHowToConvertPickledWeights) {
  const test::TempFolder folder;
  fs::copy(kFolder / "config.json", folder.path());
  folder.write("pytorch_model.bin", "pickled");

  EXPECT_THAT(error_of([&] { M2m100::open(folder.path()); }),
              AllOf(StartsWith("MissingInputError"), HasSubstr("model.safetensors"),
                    HasSubstr("M2M100ForConditionalGeneration as M")));
}

TEST(M2m100, RefusesAnUnknownActivation) {
  const test::TempFolder folder;
  const fs::path path = changed_model(folder, "activation_function", "mish");

  EXPECT_THAT(error_of([&] { M2m100::open(path); }),
              AllOf(HasSubstr("activation_function"), HasSubstr("mish")));
}

}  // namespace
}  // namespace xkde
