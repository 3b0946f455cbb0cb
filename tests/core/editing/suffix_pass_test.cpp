#include "core/editing/suffix_pass.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/model/block_products.h"
#include "core/nn/products.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/tiny_model.h"

namespace xkde {
namespace {

/// Adds a vector to one row of down_proj's output.
class Adds final : public BlockProducts {
 public:
  Adds(int64_t row, at::Tensor vector) : row_(row), vector_(std::move(vector)) {}
  at::Tensor product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) const override {
    const at::Tensor out = plain_product(x, weight, bias);
    if (role == TensorRole::kDown) out[row_].add_(vector_);
    return out;
  }

 private:
  int64_t row_;
  at::Tensor vector_;
};

/// All rows of one sequence behind the last block, the vector added on the way.
at::Tensor plain_rows(const TinyModel& model, const SuffixSequence& sequence, int64_t layer,
                      VectorPlace place, const at::Tensor& vector) {
  const TreeSequence tree{sequence.ids, {}};
  const PackedBatch batch = pack_sequences({&tree, 1}, {}).front();
  const BlockContext context = model.decoder.context(batch, at::kFloat);
  UnitPass pass{.weights = model.give()};
  pass.block = [&](size_t unit, const std::vector<at::Tensor>& parameters, const at::Tensor& x) {
    const int64_t at = static_cast<int64_t>(unit) - 1;
    const bool is_here = at == layer;
    const Adds adds(sequence.first, vector);
    const bool in_mlp = is_here && place == VectorPlace::kMlpOutput;
    at::Tensor rows = model.decoder.block(parameters, x, context.of(at), in_mlp ? &adds : nullptr);
    if (is_here && place == VectorPlace::kBlockOutput) rows[sequence.first].add_(vector);
    return rows;
  };
  return model.decoder.forward(batch.input_ids, context, pass);
}

std::vector<SuffixSequence> some_sequences() {
  return {{{20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30}, 4, 0},
          {{20, 21, 22, 23, 24, 40, 41}, 4, 1},  // a shared beginning, another vector
          {{20, 21, 22}, 0, 1},                  // nothing before the vector
          {{50, 51, 52, 53}, 3, 0}};             // nothing behind it
}

class SuffixPassOf : public testing::TestWithParam<std::string> {};

TEST_P(SuffixPassOf, ComputesWhatWholeSequencesDo) {
  const c10::AutoGradMode without_graph(false);
  const TinyModel model(GetParam());
  const Tokenizer tokenizer = test::byte_tokenizer();
  const EditableModel editable{
      .decoder = model.decoder, .tokenizer = tokenizer, .weights = model.give()};
  at::manual_seed(7);
  const at::Tensor vectors = at::randn({2, model.decoder.config().hidden_size});
  const std::vector<SuffixSequence> sequences = some_sequences();
  for (const VectorPlace place : {VectorPlace::kMlpOutput, VectorPlace::kBlockOutput}) {
    for (int64_t layer = 0; layer < model.decoder.num_blocks(); ++layer) {
      const SuffixPass pass(editable, sequences, layer, place, 16);

      const at::Tensor rows = pass.forward(vectors, at::arange(pass.num_rows()));

      for (size_t s = 0; s < sequences.size(); ++s) {
        const SuffixSequence& one = sequences[s];
        const at::Tensor expected =
            plain_rows(model, one, layer, place, vectors[static_cast<int64_t>(one.vector)]);
        for (int64_t at = one.first; at < std::ssize(one.ids); ++at) {
          // Rounding of products of other shapes.
          EXPECT_TRUE(at::allclose(rows[pass.row(s, at)], expected[at], 1e-4, 1e-4))
              << "layer " << layer << " sequence " << s << " position " << at;
        }
      }
    }
  }
}

TEST_P(SuffixPassOf, LeadsGradientsToTheVectors) {
  const TinyModel model(GetParam());
  const Tokenizer tokenizer = test::byte_tokenizer();
  const EditableModel editable{
      .decoder = model.decoder, .tokenizer = tokenizer, .weights = model.give()};
  const SuffixPass pass(editable, some_sequences(), 0, VectorPlace::kMlpOutput, 16);
  at::manual_seed(7);
  const at::Tensor vectors =
      at::randn({2, model.decoder.config().hidden_size}).requires_grad_(true);
  const at::Tensor direction = at::randn_like(vectors);
  const at::Tensor rows = at::tensor({pass.row(0, 10), pass.row(1, 5), pass.row(1, 5)});
  const auto value = [&](const at::Tensor& at) { return pass.forward(at, rows).square().mean(); };

  const at::Tensor loss = value(vectors);
  loss.backward();

  const c10::AutoGradMode without_graph(false);
  const double step = 1e-2;
  const double slope =
      ((value(vectors + step * direction) - value(vectors - step * direction)) / (2 * step))
          .item<double>();
  const double found = (vectors.grad() * direction).sum().item<double>();
  EXPECT_NEAR(found, slope, 2e-2 * std::abs(slope) + 1e-4);  // a difference of fp32 values
}

INSTANTIATE_TEST_SUITE_P(Golden, SuffixPassOf, testing::ValuesIn(golden_models()), golden_name);

}  // namespace
}  // namespace xkde
