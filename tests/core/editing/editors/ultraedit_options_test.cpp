#include <algorithm>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/editing/editors/editors.h"
#include "core/editing/request_tokens.h"
#include "core/editing/row_pass.h"
#include "tests/core/editing/editors/bench.h"

namespace xkde {
namespace {

/// Rows of down_proj of the last block, as UltraEdit collects them, found apart from it: fp64.
struct TokenRows {
  at::Tensor inputs;     ///< [n, F]
  at::Tensor gradients;  ///< [n, D], of the mean over all target tokens
};

TokenRows token_rows(const EditableModel& model, std::span<const EditRequest> requests) {
  std::vector<at::Tensor> inputs, gradients;
  for (const EditRequest& request : requests) {
    const RequestTokens tokens = request_tokens(model, request, kPromptPlace, false);
    TreeSequence sequence{tokens.ids, {}};
    for (size_t i = 0; i < tokens.target_ids.size(); ++i) {
      sequence.labels.push_back(
          {tokens.first_prediction + static_cast<int64_t>(i), tokens.target_ids[i], 0.0});
    }
    const PackedBatch batch = pack_sequences({&sequence, 1}, {}).front();
    RowPass pass(model, batch);
    const int64_t blocks = model.decoder.num_blocks();
    pass.advance_to(blocks - 1);
    inputs.push_back(pass.keys().to(at::kDouble));
    at::Tensor top = rows_above(model, pass, blocks).index_select(0, batch.label_rows).detach();
    const c10::AutoGradMode with_graph(true);
    top.requires_grad_(true);  // down_proj's output is a term of the block's
    const at::Tensor logits =
        at::matmul(model.decoder.final_norm(top, model.weights(model.decoder.head_unit()).front()),
                   model.weights(model.decoder.output_unit()).back().t());
    const at::Tensor loss = at::cross_entropy_loss(logits, batch.label_targets);
    gradients.push_back(torch::autograd::grad({loss}, {top}).front().to(at::kDouble) *
                        static_cast<double>(tokens.target_ids.size()));
  }
  const at::Tensor all = at::cat(gradients);
  return {at::cat(inputs), all / static_cast<double>(all.size(0))};
}

/// The statistics of one matrix's turns, with the whole covariance of the gradients.
struct DenseTurns {
  double count = 0.0;
  at::Tensor mean, squares;

  void grow(const TokenRows& rows) {
    const at::Tensor both = at::cat({rows.inputs, rows.gradients}, 1);
    const auto fresh = static_cast<double>(both.size(0));
    const at::Tensor own = both.mean(0);
    if (count == 0.0) mean = at::zeros_like(own);
    if (count == 0.0) squares = at::zeros({own.size(0), own.size(0)}, own.options());
    const at::Tensor delta = own - mean;
    squares = squares + fresh * both.t().cov() +
              at::outer(delta, delta) * (fresh * count / (fresh + count));
    mean = mean + delta * (fresh / (fresh + count));
    count += fresh;
  }

  at::Tensor change(const TokenRows& rows, const EditorSettings& settings) const {
    const int64_t width = rows.gradients.size(1);
    const at::Tensor both = at::cat({rows.inputs, rows.gradients}, 1);
    const at::Tensor covariance = squares / (count - 1.0);
    const at::Tensor deviation = covariance.diagonal().sqrt() + 0x1p-23;
    const at::Tensor diagonal = (both - mean) / deviation;
    const at::Tensor inputs = diagonal.narrow(1, 0, both.size(1) - width);
    at::Tensor gradients = diagonal.narrow(1, both.size(1) - width, width);
    if (settings.whiten && count > static_cast<double>(width)) {
      const at::Tensor block =
          covariance.narrow(0, both.size(1) - width, width).narrow(1, both.size(1) - width, width);
      const auto [values, vectors] = at::linalg_eigh(block);
      const at::Tensor root = at::linalg_inv(
          vectors.matmul(at::diag(values.clamp_min(1e-6).sqrt())).matmul(vectors.t()));
      gradients = (rows.gradients - mean.narrow(0, both.size(1) - width, width)).matmul(root);
    }
    const at::Tensor values =
        -settings.learning_rate * inputs.square().sum(1, true) * gradients;  // [n, D]
    const at::Tensor left = rows.inputs.t().matmul(rows.inputs);
    return at::linalg_solve(left + settings.ridge * eye_like(left), rows.inputs.t().matmul(values))
        .t();
  }
};

std::vector<EditRequest> long_requests() {
  std::vector<EditRequest> requests = some_requests();
  for (EditRequest& request : requests) request.target += " of the far shore";
  return requests;
}

TEST(StableEdit, IsItsDenseFormBeforeAndBehindEnoughRows) {
  for (const bool whitens : {false, true}) {
    const Bench bench;
    const EditableModel editable = bench.editable();
    const std::vector<EditRequest> requests = long_requests();
    EditorParts parts = bench.parts(EditorKind::kUltraEdit);
    const int64_t last = bench.model.decoder.num_blocks() - 1;
    parts.settings.modules = {{"down_proj", {last}}};
    parts.settings.whiten = whitens;
    parts.settings.ridge = 10.0;
    const MatrixPlace down = find_matrix(bench.model.decoder, last, "down_proj", "x");
    const auto editor = make_editor(EditorKind::kUltraEdit, editable, parts);
    WeightOverlay overlay(editable);
    Solo solo;
    DenseTurns dense;
    std::vector<bool> is_whitened;
    for (const auto& [begin, count] : {std::pair{0, 1}, std::pair{1, 3}, std::pair{4, 1}}) {
      const auto group =
          std::span(requests).subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
      const TokenRows rows = token_rows(editable, group);
      dense.grow(rows);
      const at::Tensor expected = dense.change(rows, parts.settings);
      is_whitened.push_back(dense.count > 32.0);  // rows of down_proj
      const at::Tensor before = overlay.value(down).to(at::kDouble);

      editor->write(group, overlay, solo);

      const at::Tensor found = overlay.value(down).to(at::kDouble) - before;
      EXPECT_LT(distance(found, expected), 1e-3) << begin << " " << whitens;
    }
    EXPECT_EQ(is_whitened, (std::vector<bool>{false, true, true}));
  }
}

/// Thirteen requests, the short ones first.
std::vector<EditRequest> requests_of_many_lengths() {
  std::vector<EditRequest> requests;
  for (int64_t i = 0; i < 13; ++i) {
    EditRequest request = some_requests()[static_cast<size_t>(i % 5)];
    request.record = i;
    for (int64_t more = 0; more < i / 2; ++more) request.target += " of the far shore";
    requests.push_back(std::move(request));
  }
  return requests;
}

TEST(UltraEdit, ReadsATurnInTensTheLongestFirst) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  const std::vector<EditRequest> requests = requests_of_many_lengths();
  EditorParts parts = bench.parts(EditorKind::kUltraEdit);
  const int64_t last = bench.model.decoder.num_blocks() - 1;
  parts.settings.modules = {{"down_proj", {last}}};
  parts.max_tokens = 64;
  const MatrixPlace down = find_matrix(bench.model.decoder, last, "down_proj", "x");

  std::vector<EditRequest> sorted = requests;
  const auto length = [&](const EditRequest& request) {
    return request_tokens(editable, request, kPromptPlace, false).ids.size();
  };
  std::ranges::stable_sort(sorted, std::ranges::greater(), length);
  const TokenRows ten = token_rows(editable, std::span(sorted).first(10));
  const TokenRows rest = token_rows(editable, std::span(sorted).last(3));
  DenseTurns dense;
  dense.grow(ten);
  dense.grow(rest);
  const at::Tensor expected =
      dense.change({at::cat({ten.inputs, rest.inputs}), at::cat({ten.gradients, rest.gradients})},
                   parts.settings);

  std::vector<at::Tensor> found(2);
  std::vector<EditNotes> notes(2);
  as_two_ranks([&](size_t rank, const Bench&, const EditableModel& model, WeightOverlay& overlay,
                   Team& team) {
    const at::Tensor before = overlay.value(down).to(at::kDouble);
    notes[rank] = make_editor(EditorKind::kUltraEdit, model, parts)->write(requests, overlay, team);
    found[rank] = overlay.value(down).to(at::kDouble) - before;
  });
  EXPECT_TRUE(at::equal(found[0], found[1]));
  EXPECT_LT(distance(found[0], expected), 1e-3);  // weights and gradients are fp32
  EXPECT_EQ(notes[0].step_losses.size(), 2U);
  EXPECT_EQ(notes[0].step_losses, notes[1].step_losses);
}

/// With no more rows than the gradients are wide there is nothing to whiten with.
TEST(StableEdit, IsUltraEditBitForBitUntilThereAreEnoughRows) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  const std::vector<EditRequest> requests = some_requests();
  std::vector<at::Tensor> found;
  Solo solo;
  for (const bool whitens : {false, true}) {
    EditorParts parts = bench.parts(EditorKind::kUltraEdit);
    parts.settings.modules = {{"gate_proj", {0}}};
    parts.settings.whiten = whitens;
    EXPECT_EQ(parts.settings.ridge, 1.0);
    WeightOverlay overlay(editable);
    const auto editor = make_editor(EditorKind::kUltraEdit, editable, parts);
    editor->write(requests, overlay, solo);
    EXPECT_EQ(editor->state().size(), whitens ? 4U : 3U);
    EXPECT_LE(editor->state().at("48x32/count")[0].item<double>(), 48.0);
    found.push_back(overlay.changed().begin()->second);
    overlay.revert();
  }
  EXPECT_TRUE(at::equal(found[0], found[1]));
}

}  // namespace
}  // namespace xkde
