#include "core/model/decoder.h"

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "core/io/safetensors.h"
#include "tests/support/golden_models.h"

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

class GoldenModel : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder() const { return golden_folder(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(All, GoldenModel, testing::ValuesIn(golden_models()), golden_name);

TEST_P(GoldenModel, LogitsEqualThoseOfTransformers) {
  const Decoder decoder(golden_config(GetParam()));
  const auto weights = read_tensors(folder() / "model.safetensors");
  const auto golden = read_tensors(folder() / "golden.safetensors");
  std::vector<TreeSequence> sequences;
  const Json asked = read_json_file(folder() / "golden.json");
  for (const Json& sequence : asked.at("sequences")) {
    sequences.push_back({sequence["ids"].get<std::vector<int64_t>>(), {}});
  }

  const auto parameters = [&](size_t unit) {
    return decoder.parameters(unit, flat_unit(decoder.units()[unit], weights));
  };

  for (size_t i = 0; i < sequences.size(); ++i) {
    const PackedBatch batch = pack_sequences({&sequences[i], 1}, {}).front();
    const BlockContext context = decoder.context(batch, at::kFloat);
    const at::Tensor x = decoder.forward(batch.input_ids, context, {.weights = parameters});
    const at::Tensor logits = decoder.logits(x, parameters);

    const at::Tensor& expected = golden.at("logits." + std::to_string(i));
    // fp32 with sums in another order.
    EXPECT_LT((logits - expected).abs().max().item<float>(), 1e-4F) << "sequence " << i;
  }
}

TEST_P(GoldenModel, ABlockOfSomeRowsIsThoseRowsOfTheWholeBlock) {
  const Decoder decoder(golden_config(GetParam()));
  const auto weights = read_tensors(folder() / "model.safetensors");
  const TreeSequence sequence{{1, 5, 2, 7, 3, 4}, {}};
  const PackedBatch batch = pack_sequences({&sequence, 1}, {}).front();
  const BlockContext context = decoder.context(batch, at::kFloat);
  at::manual_seed(1);
  const at::Tensor x = at::randn({6, decoder.config().hidden_size});
  const at::Tensor rows = at::tensor({5, 2, 2}, at::kLong);
  const std::vector<at::Tensor> parameters =
      decoder.parameters(1, flat_unit(decoder.units()[1], weights));

  const at::Tensor some = decoder.block_of_rows(parameters, x, rows, context.of(0));

  const at::Tensor all = decoder.block(parameters, x, context.of(0));
  EXPECT_LT((some - all.index_select(0, rows)).abs().max().item<float>(), 1e-5F);
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

TEST(Decoder, APassWithoutRowsVisitsTheSameUnits) {
  ModelConfig config;
  config.vocab_size = 3;
  config.hidden_size = config.intermediate_size = config.head_dim = 2;
  config.num_hidden_layers = 2;
  config.num_attention_heads = config.num_key_value_heads = 1;
  const Decoder decoder(config);
  const auto flat = [&](size_t unit) { return at::ones({decoder.units()[unit].numel()}); };
  std::vector<std::string> visits;
  const UnitPass pass{
      .weights =
          [&](size_t unit) {
            visits.push_back("weights " + std::to_string(unit));
            return decoder.parameters(unit, flat(unit));
          },
      .block = {},
      .done = [&](size_t unit) { visits.push_back("done " + std::to_string(unit)); }};
  const TreeSequence sequence{{0, 1}, {}};
  const PackedBatch batch = pack_sequences({&sequence, 1}, {}).front();

  const at::Tensor rows =
      decoder.forward(batch.input_ids, decoder.context(batch, at::kFloat), pass);
  const std::vector<std::string> with_rows = std::exchange(visits, {});
  const at::Tensor nothing = decoder.forward({}, {}, pass);

  EXPECT_EQ(rows.sizes(), (std::vector<int64_t>{2, 2}));
  EXPECT_FALSE(nothing.defined());
  EXPECT_EQ(visits, with_rows);
  EXPECT_EQ(visits, (std::vector<std::string>{"weights 0", "done 0", "weights 1", "done 1",
                                              "weights 2", "done 2"}));
}

}  // namespace
}  // namespace xkde
