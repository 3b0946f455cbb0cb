#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/editing/editors/editors.h"
#include "core/editing/subject_keys.h"
#include "core/editing/value_vectors.h"
#include "tests/core/editing/editors/bench.h"

namespace xkde {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

/// Of changes that are read back from fp32 weights.
constexpr double kOfWeights = 2e-5;

/// What the formulas need of a batch at layer 0, as the weights are now: fp64, a column for each
/// request.
struct Batch {
  at::Tensor keys;    ///< [F, u]
  at::Tensor deltas;  ///< [D, u]
  at::Tensor before;  ///< [D, u], what down_proj gives
};

Batch look_at(const EditableModel& model, std::span<const EditRequest> requests,
              const EditorParts& parts) {
  Solo solo;
  const ValueVectors found = value_vectors(model, requests, parts.settings,
                                           {.layer = 0,
                                            .place = VectorPlace::kBlockOutput,
                                            .contexts = parts.contexts,
                                            .max_tokens = parts.max_tokens},
                                           solo);
  const SubjectRows rows(model, requests, parts.contexts, parts.max_tokens, solo);
  const SubjectRows bare(model, requests, {"{}"}, parts.max_tokens, solo);
  const MatrixPlace down = find_matrix(model.decoder, 0, "down_proj", "x");
  const at::Tensor weight = model.weights(down.unit)[down.parameter].to(at::kDouble);
  return {rows.keys().t(), (found.values - found.before).to(at::kDouble).t(),
          weight.matmul(bare.keys().t())};
}

/// P of the eigenvectors whose eigenvalues are below the threshold.
at::Tensor projection_of(const at::Tensor& matrix, double threshold) {
  const auto [values, vectors] = at::linalg_eigh(matrix);
  const at::Tensor is_inside = (values < threshold).to(at::kDouble);
  return (vectors * is_inside).matmul(vectors.t());
}

/// (P(KKᵀ + K_p K_pᵀ + λ₁C) + l2 I) X = P K Rᵀ, with P found anew of what was written before.
TEST(BetaEdit, IsItsDenseSystemBeforeAndBehindARefresh) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  const std::vector<EditRequest> requests = some_requests();
  EditorParts parts = bench.parts(EditorKind::kAlphaEdit);
  parts.settings.modules = {{"down_proj", {0}}};
  EditorSettings& settings = parts.settings;
  settings.cov_weight = 3.0;
  settings.refresh_every = 3;
  settings.steps = 4;
  const at::Tensor moments = parts.moments(0, "down_proj");
  const int64_t width = moments.size(0);
  settings.null_threshold = at::linalg_eigvalsh(moments)[width / 2].item<double>();
  const MatrixPlace down = find_matrix(bench.model.decoder, 0, "down_proj", "x");
  const auto editor = make_editor(EditorKind::kAlphaEdit, editable, parts);
  WeightOverlay overlay(editable);
  Solo solo;
  at::Tensor earlier = at::zeros_like(moments);
  at::Tensor projection = projection_of(moments, settings.null_threshold);
  std::vector<int64_t> ranks;
  // Four edits come before the third batch, and three were asked for.
  for (const auto& [begin, count] : {std::pair{0, 2}, std::pair{2, 2}, std::pair{4, 1}}) {
    const auto group =
        std::span(requests).subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
    const Batch batch = look_at(editable, group, parts);
    if (begin == 4) {
      const at::Tensor mixed =
          (earlier / 4.0 + settings.cov_weight * moments) / (settings.cov_weight + 1.0);
      projection = projection_of(mixed, settings.null_threshold);
    }
    const at::Tensor products = batch.keys.matmul(batch.keys.t());
    const at::Tensor left = projection.matmul(products + earlier + settings.cov_weight * moments) +
                            settings.l2 * eye_like(moments);
    const at::Tensor expected =
        at::linalg_solve(left, projection.matmul(batch.keys).matmul(batch.deltas.t())).t();
    earlier = earlier + products;
    const at::Tensor before = overlay.value(down).to(at::kDouble);

    editor->write(group, overlay, solo);

    EXPECT_LT(distance(overlay.value(down).to(at::kDouble) - before, expected), kOfWeights)
        << begin;
    ranks.push_back(editor->state().at("basis/" + down.name).size(1));
  }
  EXPECT_EQ(ranks[0], ranks[1]);
  EXPECT_NE(ranks[1], ranks[2]);
}

/// Until the first refresh, asking for one changes no bit; neither does a weight of zero.
TEST(BetaEdit, IsAlphaEditWithSecondMomentsUntilItsFirstRefresh) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  const std::vector<EditRequest> requests = some_requests();
  std::vector<std::map<MatrixPlace, at::Tensor>> found;
  Solo solo;
  for (const int64_t refresh : {0, 1000}) {
    EditorParts parts = bench.parts(EditorKind::kAlphaEdit);
    parts.settings.refresh_every = refresh;
    parts.settings.steps = 4;
    const auto editor = make_editor(EditorKind::kAlphaEdit, editable, parts);
    WeightOverlay overlay(editable);
    editor->write(std::span(requests).first(3), overlay, solo);
    editor->write(std::span(requests).subspan(3), overlay, solo);
    EXPECT_EQ(editor->state().size(), refresh == 0 ? 2U : 7U);  // two layers
    found.push_back(overlay.changed());
    overlay.revert();
  }
  for (const auto& [matrix, value] : found[0])
    EXPECT_TRUE(at::equal(found[1].at(matrix), value)) << matrix.name;
}

TEST(BetaEdit, NeedsAWeightOfTheSecondMomentsAndAStateOfItsLayers) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  EditorParts parts = bench.parts(EditorKind::kAlphaEdit);
  parts.settings.refresh_every = 2;
  const auto editor = make_editor(EditorKind::kAlphaEdit, editable, parts);
  auto state = editor->state();
  const std::string name = "model.layers.0.mlp.down_proj.weight";
  state["earlier/" + name] = at::zeros({3, 3}, at::kDouble);
  EXPECT_THAT([&] { editor->restore(state); },
              ThrowsMessage<DataError>(
                  HasSubstr(name + ": expected the state of a layer of width 48, found 3")));

  parts.settings.cov_weight = 0.0;
  EXPECT_THAT([&] { make_editor(EditorKind::kAlphaEdit, editable, parts); },
              ThrowsMessage<ConfigError>(HasSubstr(
                  "editor.refresh_every: expected editor.cov_weight above 0 beside it, found 0")));
}

}  // namespace
}  // namespace xkde
