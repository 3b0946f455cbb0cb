#include "core/editing/moments/second_moment.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "core/nn/products.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_model.h"

namespace xkde {
namespace {

constexpr TensorRole kRoles[] = {TensorRole::kDown, TensorRole::kGateUp, TensorRole::kQkv,
                                 TensorRole::kAttentionOutput};

/// Keeps every input of one role.
class Capture final : public BlockProducts {
 public:
  explicit Capture(TensorRole role) : role_(role) {}
  at::Tensor product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) const override {
    if (role == role_) rows = x;
    return plain_product(x, weight, bias);
  }
  mutable at::Tensor rows;

 private:
  TensorRole role_;
};

std::vector<TreeSequence> sequences_of(const std::string& model) {
  std::vector<TreeSequence> sequences;
  const Json golden = read_json_file(golden_folder(model) / "golden.json");
  for (const Json& one : golden.at("sequences"))
    sequences.push_back({one["ids"].get<std::vector<int64_t>>(), {}});
  return sequences;
}

/// The inputs of one role in one layer of a sequence that is computed alone.
at::Tensor captured(const TinyModel& model, const TreeSequence& sequence,
                    const ObservedInput& input, at::ScalarType dtype) {
  const PackedBatch batch = pack_sequences({&sequence, 1}, {}).front();
  const BlockContext context = model.decoder.context(batch, dtype);
  at::Tensor x = model.decoder.embed(batch.input_ids, model.weights[0]);
  const Capture capture(input.role);
  for (int64_t layer = 0; layer <= input.layer; ++layer) {
    x = model.decoder.block(model.weights[static_cast<size_t>(layer) + 1], x, context.of(layer),
                            &capture);
  }
  return capture.rows;
}

class SecondMomentOfModel : public testing::TestWithParam<std::string> {
 protected:
  /// The largest difference of a sum from those of captured inputs, of the sum's norm.
  double worst_difference(at::ScalarType dtype) {
    const Tokenizer tokenizer = test::byte_tokenizer();
    const TinyModel model(GetParam(), dtype);
    const EditableModel editable{
        .decoder = model.decoder, .tokenizer = tokenizer, .weights = model.give(), .dtype = dtype};
    const std::vector<TreeSequence> sequences = sequences_of(GetParam());
    std::vector<int64_t> layers{0, model.decoder.num_blocks() - 1};
    const auto inputs = observed_inputs(model.decoder, layers, kRoles, "layers");
    SecondMomentSums sums(model.decoder, inputs, at::kCPU);

    for (const PackedBatch& batch : pack_sequences(sequences, {.share_prefixes = false}))
      sums.add(editable, batch);

    double worst = 0.0;
    for (const ObservedInput& input : inputs) {
      const int64_t width = width_of(model.decoder, input);
      at::Tensor expected = at::zeros({width, width}, at::kDouble);
      for (const TreeSequence& sequence : sequences) {
        const at::Tensor rows = captured(model, sequence, input, dtype).to(at::kDouble);
        expected += at::einsum("ti,tj->ij", {rows, rows});
      }
      const at::Tensor found = whole_of(sums.upper(input));
      EXPECT_TRUE(at::equal(found, found.t()));
      worst = std::max(worst, ((found - expected).norm() / expected.norm()).item<double>());
    }
    return worst;
  }
};
INSTANTIATE_TEST_SUITE_P(All, SecondMomentOfModel, testing::ValuesIn(golden_models()), golden_name);

TEST_P(SecondMomentOfModel, IsThatOfTheInputsOneSequenceAtATime) {
  // fp32 products of another number of rows, through the blocks and in the sum.
  EXPECT_LT(worst_difference(at::kFloat), 1e-5);
}

TEST_P(SecondMomentOfModel, OfBf16RowsIsAddedUpInMoreThanBf16) {
  // Rows of a pack and those of a sequence alone may be rounded otherwise; bf16 has 8 bits.
  EXPECT_LT(worst_difference(at::kBFloat16), 1e-2);
}

ModelConfig wide_config() {
  ModelConfig config;
  config.vocab_size = 3;
  config.hidden_size = config.head_dim = 2;
  config.intermediate_size = 1300;
  config.num_hidden_layers = 1;
  config.num_attention_heads = config.num_key_value_heads = 1;
  return config;
}

TEST(SecondMoment, OfManyWideRowsIsExactToFp32) {
  const Decoder decoder(wide_config());
  const ObservedInput input{0, TensorRole::kDown};
  SecondMomentSums sums(decoder, {&input, 1}, at::kCPU);
  const at::Tensor rows = at::arange(2500 * 1300, at::kFloat).reshape({2500, 1300}).sin();

  for (const int64_t first : {0, 1, 1500}) {
    const int64_t end = first == 0 ? 1 : first == 1 ? 1500 : 2500;
    sums.product(TensorRole::kDown, rows.slice(0, first, end), at::zeros({2, 1300}), {});
  }
  sums.product(TensorRole::kGateUp, rows, at::zeros({2, 1300}), {});  // nobody observes it

  const at::Tensor wide = rows.to(at::kDouble);
  const at::Tensor expected = wide.t().mm(wide);
  EXPECT_LT(((whole_of(sums.upper(input)) - expected).norm() / expected.norm()).item<double>(),
            1e-6);
}

TEST(SecondMoment, OfALayerThatIsNotThereIsAnError) {
  const Decoder decoder(wide_config());
  const int64_t layer = 1;

  EXPECT_EQ(test::message_of<ConfigError>([&] {
              observed_inputs(decoder, {&layer, 1}, kRoles, "covariance.layers");
            }),
            "covariance.layers: expected layers below 1, the model's number, found 1");
}

}  // namespace
}  // namespace xkde
