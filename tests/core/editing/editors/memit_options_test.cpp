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

/// The first change of an editor, by its dense system.
at::Tensor dense_change(EditorKind kind, const EditorSettings& settings, const at::Tensor& moments,
                        const at::Tensor& keys, const at::Tensor& residuals) {
  if (kind == EditorKind::kEmmet) {
    const at::Tensor solved = at::linalg_inv(moments).matmul(keys);
    const at::Tensor small = keys.t().matmul(solved);
    return residuals.matmul(at::linalg_inv(small + settings.emmet_lambda * eye_like(small)))
        .matmul(solved.t());
  }
  const at::Tensor products = keys.matmul(keys.t());
  if (kind == EditorKind::kAlphaEdit) {
    const at::Tensor projection = projection_of(moments, settings.null_threshold);
    const at::Tensor left =
        projection.matmul(products + settings.cov_weight * moments) + settings.l2 * eye_like(keys);
    return at::linalg_solve(left, projection.matmul(keys).matmul(residuals.t())).t();
  }
  const at::Tensor whole = settings.cov_weight * moments + products;
  return residuals.matmul(keys.t()).matmul(at::linalg_inv(whole));
}

class AnchorOf : public testing::TestWithParam<EditorKind> {
 protected:
  AnchorOf() : parts_(bench_.parts(GetParam())) {
    parts_.settings.modules = {{"down_proj", {0}}};
    parts_.settings.anchor_edits = 2;
    parts_.settings.steps = 4;
    parts_.settings.cov_weight = GetParam() == EditorKind::kAlphaEdit ? 0.0 : 1.0;
    parts_.pilots.assign(requests_.begin(), requests_.begin() + 2);
  }

  const std::vector<EditRequest> requests_ = some_requests();
  const std::span<const EditRequest> edits_ = std::span(requests_).subspan(2);
  Bench bench_;
  EditableModel model_ = bench_.editable();
  EditorParts parts_;
  const at::Tensor moments_ = parts_.moments(0, "down_proj");
  const MatrixPlace down_ = find_matrix(bench_.model.decoder, 0, "down_proj", "x");
  WeightOverlay overlay_{model_};
  Solo solo_;
};

TEST_P(AnchorOf, ScalesValuesToTheMeanNormOfThePilots) {
  const Batch pilots = look_at(model_, parts_.pilots, parts_);
  const double anchor = (pilots.before + pilots.deltas).norm(2, 0).mean().item<double>();
  const Batch batch = look_at(model_, edits_, parts_);
  const at::Tensor values = batch.before + batch.deltas;
  const at::Tensor norms = values.norm(2, 0);
  ASSERT_LE(norms.max().item<double>(), 2.0 * anchor);
  const at::Tensor expected = dense_change(GetParam(), parts_.settings, moments_, batch.keys,
                                           values * (anchor / norms) - batch.before);
  const at::Tensor before = overlay_.value(down_).to(at::kDouble);

  const EditNotes notes = make_editor(GetParam(), model_, parts_)->write(edits_, overlay_, solo_);

  EXPECT_LT(distance(overlay_.value(down_).to(at::kDouble) - before, expected), kOfWeights);
  EXPECT_NEAR(notes.anchor, anchor, 1e-6 * anchor);
  ASSERT_EQ(notes.value_norms.size(), edits_.size());
  for (size_t i = 0; i < edits_.size(); ++i) {
    const auto norm = norms[static_cast<int64_t>(i)].item<double>();
    EXPECT_NEAR(notes.value_norms[i], norm, 1e-6 * norm);
  }
}

TEST_P(AnchorOf, KeepsWhatStoodThereForTheLongestValue) {
  const Batch batch = look_at(model_, edits_, parts_);
  const at::Tensor values = batch.before + batch.deltas;
  const at::Tensor norms = values.norm(2, 0);
  const at::Tensor sorted = std::get<0>(norms.sort());
  // Twice the anchor lies between the two longest.
  const double anchor = (sorted[-1] + sorted[-2]).item<double>() / 4.0;
  at::Tensor residuals = values * (anchor / norms) - batch.before;
  residuals = at::where(norms > 2.0 * anchor, 0.0, residuals);
  ASSERT_EQ((residuals.norm(2, 0) == 0.0).sum().item<int64_t>(), 1);
  const at::Tensor expected =
      dense_change(GetParam(), parts_.settings, moments_, batch.keys, residuals);
  const at::Tensor before = overlay_.value(down_).to(at::kDouble);
  const auto editor = make_editor(GetParam(), model_, parts_);
  auto state = editor->state();
  state["anchor"] = at::full({1}, anchor, at::kDouble);
  editor->restore(state);

  editor->write(edits_, overlay_, solo_);

  EXPECT_LT(distance(overlay_.value(down_).to(at::kDouble) - before, expected), kOfWeights);
}

TEST_P(AnchorOf, NeedsPilots) {
  parts_.pilots.clear();
  const auto editor = make_editor(GetParam(), model_, parts_);
  EXPECT_THAT([&] { editor->write(edits_, overlay_, solo_); },
              ThrowsMessage<DataError>(HasSubstr(
                  "editor.anchor_edits: expected pilot edits that can be written, found none")));
}

/// Whoever prepares it first: the pilots' values are those of the model without edits.
TEST_P(AnchorOf, IsFoundOnce) {
  const auto early = make_editor(GetParam(), model_, parts_);
  early->prepare(solo_);
  const at::Tensor anchor = early->state().at("anchor");
  early->write(edits_, overlay_, solo_);
  early->prepare(solo_);

  EXPECT_TRUE(at::equal(early->state().at("anchor"), anchor));
}

INSTANTIATE_TEST_SUITE_P(Kinds, AnchorOf,
                         testing::Values(EditorKind::kMemit, EditorKind::kMemitHistory,
                                         EditorKind::kEmmet, EditorKind::kAlphaEdit),
                         [](const auto& kind) {
                           return std::string(name_of(kEditors, kind.param));
                         });

class AnchorOfModel : public testing::TestWithParam<std::string> {};

/// Behind an edit of one layer that hardly minds other keys, down_proj gives the scaled value at
/// the subject, in every family.
TEST_P(AnchorOfModel, IsTheNormOfWhatDownProjGives) {
  const std::vector<EditRequest> requests = some_requests();
  const std::span<const EditRequest> one = std::span(requests).first(1);
  const Bench bench(GetParam());
  const EditableModel editable = bench.editable();
  EditorParts parts = bench.parts(EditorKind::kMemit);
  parts.settings.modules = {{"down_proj", {0}}};
  parts.settings.cov_weight = 1e-9;
  parts.settings.anchor_edits = 2;
  parts.contexts = {"{}"};
  parts.settings.steps = 8;
  // Their mean is at least half as long as the one that is written.
  parts.pilots.assign(requests.begin(), requests.begin() + 2);
  Solo solo;
  WeightOverlay overlay(editable);
  const auto editor = make_editor(EditorKind::kMemit, editable, parts);

  const EditNotes notes = editor->write(one, overlay, solo);

  const SubjectRows rows(editable, one, {"{}"}, parts.max_tokens, solo);
  const double norm = rows.mlp_outputs().norm().item<double>();
  EXPECT_NEAR(norm, notes.anchor, 1e-4 * notes.anchor);
  EXPECT_GT(std::abs(notes.value_norms[0] - notes.anchor), 1e-3 * notes.anchor);
}

TEST_P(AnchorOfModel, LeavesWeightsAloneWhereTheOnlyValueIsTooLong) {
  const std::vector<EditRequest> requests = some_requests();
  const Bench bench(GetParam());
  const EditableModel editable = bench.editable();
  EditorParts parts = bench.parts(EditorKind::kMemit);
  parts.settings.anchor_edits = 1;
  parts.settings.steps = 2;
  if (norms_mlp_output(bench.model.decoder.config())) parts.settings.modules = {{"down_proj", {0}}};
  Solo solo;
  WeightOverlay overlay(editable);
  const auto editor = make_editor(EditorKind::kMemit, editable, parts);
  editor->restore({{"anchor", at::full({1}, 1e-6, at::kDouble)}});

  editor->write(std::span(requests).first(1), overlay, solo);

  const auto changed = overlay.changed();
  EXPECT_EQ(changed.size(), parts.settings.layers().size());
  const WeightOverlay untouched(editable);
  overlay.revert();
  for (const auto& [matrix, value] : changed)
    EXPECT_TRUE(at::equal(value, untouched.value(matrix))) << matrix.name;
}

INSTANTIATE_TEST_SUITE_P(Golden, AnchorOfModel, testing::ValuesIn(golden_models()), golden_name);

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
