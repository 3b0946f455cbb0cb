#include "core/editing/weight_overlay.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/tiny_model.h"

namespace xkde {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class WeightOverlayTest : public testing::Test {
 protected:
  explicit WeightOverlayTest(at::ScalarType dtype = at::kFloat)
      : model_("llama_untied", dtype),
        editable_{.decoder = model_.decoder,
                  .tokenizer = tokenizer_,
                  .weights = model_.give(),
                  .dtype = dtype} {}

  const Tokenizer tokenizer_ = test::byte_tokenizer();
  TinyModel model_;
  EditableModel editable_;
};

TEST_F(WeightOverlayTest, RevertRestoresBits) {
  const MatrixPlace down = find_matrix(model_.decoder, 1, "down_proj", "x");
  const MatrixPlace up = find_matrix(model_.decoder, 0, "up_proj", "x");
  WeightOverlay overlay(editable_);
  const at::Tensor down_before = overlay.view(down).clone();
  const at::Tensor up_before = overlay.view(up).clone();
  for (int i = 0; i < 10; ++i) {
    overlay.add(down, at::randn(down_before.sizes()));
    overlay.add(up, at::randn(up_before.sizes(), at::kDouble));
  }
  ASSERT_FALSE(at::equal(overlay.view(down), down_before));

  overlay.revert();

  EXPECT_TRUE(at::equal(overlay.view(down), down_before));
  EXPECT_TRUE(at::equal(overlay.view(up), up_before));
  EXPECT_TRUE(overlay.empty());
}

TEST_F(WeightOverlayTest, NamesTheRowsOfJoinedMatrices) {
  const MatrixPlace gate = find_matrix(model_.decoder, 0, "gate_proj", "x");
  const MatrixPlace up = find_matrix(model_.decoder, 0, "up_proj", "x");

  EXPECT_EQ(gate.name, "model.layers.0.mlp.gate_proj.weight");
  EXPECT_EQ(gate.parameter, up.parameter);
  EXPECT_EQ(gate.first_row, 0);
  EXPECT_EQ(up.first_row, gate.rows);
  EXPECT_EQ(matrix_named(model_.decoder, up.name).first_row, up.first_row);
}

TEST_F(WeightOverlayTest, KeepsSmallChangesThatTheComputeDtypeRoundsAway) {
  TinyModel model("llama_untied", at::kBFloat16);
  const EditableModel editable{.decoder = model.decoder,
                               .tokenizer = tokenizer_,
                               .weights = model.give(),
                               .dtype = at::kBFloat16};
  const MatrixPlace down = find_matrix(model.decoder, 0, "down_proj", "x");
  WeightOverlay overlay(editable);
  const at::Tensor before = overlay.view(down).to(at::kFloat);
  const double step = 1e-3 * before.abs().max().item<double>();

  for (int i = 0; i < 100; ++i) overlay.add(down, at::full(before.sizes(), step));

  EXPECT_TRUE(at::allclose(overlay.value(down), before + 100 * step, 1e-4, 1e-6));
  EXPECT_TRUE(at::equal(overlay.view(down), overlay.value(down).to(at::kBFloat16)));
}

TEST_F(WeightOverlayTest, RejectsWhatTheModelHasNot) {
  EXPECT_THAT([&] { find_matrix(model_.decoder, 7, "down_proj", "editor.layers"); },
              ThrowsMessage<ConfigError>(HasSubstr(
                  "editor.layers: expected a layer below 2, the model's number, found 7")));
  EXPECT_THAT([&] { find_matrix(model_.decoder, 0, "fc_out", "editor.modules"); },
              ThrowsMessage<ConfigError>(
                  HasSubstr("editor.modules: expected a module of the model (q_proj, k_proj, "
                            "v_proj, o_proj, gate_proj, up_proj, down_proj), found fc_out")));
}

TEST_F(WeightOverlayTest, RefusesNumbersThatAreNotFinite) {
  const MatrixPlace down = find_matrix(model_.decoder, 0, "down_proj", "x");
  WeightOverlay overlay(editable_);
  const at::Tensor before = overlay.view(down).clone();
  at::Tensor delta = at::zeros_like(before);
  delta[0][0] = INFINITY;

  EXPECT_THAT([&] { overlay.add(down, delta); },
              ThrowsMessage<NumericError>(HasSubstr("down_proj.weight: expected finite weights")));
  EXPECT_TRUE(at::equal(overlay.view(down), before));
}

}  // namespace
}  // namespace xkde
