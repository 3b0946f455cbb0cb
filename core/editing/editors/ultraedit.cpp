#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/base/error.h"
#include "core/editing/editors/editors.h"
#include "core/editing/key_system.h"
#include "core/editing/request_tokens.h"
#include "core/editing/row_pass.h"
#include "core/editing/target_loss.h"
#include "core/model/block_products.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

/// So many edits of a turn share a mean loss, and are counted together: dataset.batch_size of the
/// authors' code (XiaojieGu/UltraEdit, config/dataset).
constexpr int64_t kEditsTogether = 10;

/// Keeps inputs and outputs of products with a few weights, for their gradients.
class ProductTap final : public BlockProducts {
 public:
  struct Seen {
    at::Tensor input, output;
  };
  at::Tensor product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) const override {
    at::Tensor out = plain_product(x, weight, bias);
    // Below the lowest module nothing has a graph yet.
    if (!out.requires_grad()) out = out.detach().requires_grad_(true);
    seen_[role] = {x.detach(), out};
    return out;
  }
  const Seen& of(TensorRole role) const { return seen_.at(role); }

 private:
  mutable std::map<TensorRole, Seen> seen_;
};

/// Mean and spread of rows that come batch by batch, as the published code counts them: the sum of
/// squares grows by m times the unbiased variance.
struct RunningMoments {
  double count = 0.0;
  at::Tensor mean, squares;  ///< fp64 [width]
  /// Of the last columns, as many as it is wide: whose diagonal `squares` has; undefined: not kept.
  at::Tensor products;

  /// `rows` fp64 [n, width]. `whole`: so many of the last columns have products.
  void add(const at::Tensor& rows, int64_t whole) {
    const auto fresh = static_cast<double>(rows.size(0));
    const at::Tensor own = rows.mean(0);
    // One row has no variance.
    const at::Tensor variance =
        rows.size(0) > 1 ? rows.var(0, /*unbiased=*/true) : at::zeros_like(own);
    if (!mean.defined()) {
      mean = at::zeros_like(own);
      squares = at::zeros_like(own);
    }
    const at::Tensor delta = own - mean;
    const double all = count + fresh;
    mean = mean + delta * (fresh / all);
    squares = squares + variance * fresh + delta.square() * (count * fresh / all);
    if (whole > 0) add_products(rows - own, delta, whole, count * fresh / all);
    count = all;
  }

  void add_products(const at::Tensor& centered, const at::Tensor& delta, int64_t whole,
                    double weight) {
    const auto last = [whole](const at::Tensor& x) {
      return x.narrow(-1, x.size(-1) - whole, whole);
    };
    const at::Tensor rows = last(centered), moved = last(delta);
    if (!products.defined()) products = at::zeros({whole, whole}, rows.options());
    const auto fresh = static_cast<double>(rows.size(0));
    // One row has no variance.
    const double scale = fresh > 1.0 ? fresh / (fresh - 1.0) : 0.0;
    products = products + rows.t().matmul(rows) * scale + at::outer(moved, moved) * weight;
  }

  /// The inverse square root of the covariance of the columns that have products, fp64 [O, O];
  /// undefined where no more rows than columns came.
  at::Tensor whitening() const {
    constexpr double kLeast = 1e-6;
    if (!products.defined() || count <= static_cast<double>(products.size(0))) return {};
    const auto [values, vectors] = at::linalg_eigh(products / (count - 1.0));
    return (vectors * values.clamp_min(kLeast).rsqrt()).matmul(vectors.t());
  }

  at::Tensor normalized(const at::Tensor& rows) const {
    constexpr double kEpsilon = 0x1p-23;
    // The first row of all has no spread, and is its own mean.
    return (rows - mean) / ((squares / std::max(count - 1.0, 1.0)).sqrt() + kEpsilon);
  }
};

/// arXiv:2505.14679, with the whitening of gradients and the ridge of arXiv:2605.11836.
class UltraEdit final : public Editor {
 public:
  UltraEdit(const EditableModel& model, EditorParts parts)
      : model_(model), parts_(std::move(parts)) {
    for (const ModuleLayers& module : parts_.settings.modules) {
      for (const int64_t layer : module.layers)
        matrices_.push_back(find_matrix(model.decoder, layer, module.module, "editor.layers"));
    }
    lowest_ = model.decoder.num_blocks();
    for (const MatrixPlace& matrix : matrices_)
      lowest_ = std::min(lowest_, static_cast<int64_t>(matrix.unit) - 1);
  }

  EditNotes write(std::span<const EditRequest> requests, WeightOverlay& overlay,
                  Team& team) override {
    EditNotes notes{.steps = std::vector<int64_t>(requests.size(), 1),
                    .losses = std::vector<double>(requests.size()),
                    .step_losses = {},
                    .orders = {}};
    const std::vector<Batch> batches = batches_of(requests);
    const std::vector<Rows> rows = collect(requests, batches, notes, team);
    // All statistics of the turn are counted before any is used.
    for (const Batch& batch : batches) {
      for (size_t i = 0; i < matrices_.size(); ++i) {
        moments_[shape_of(matrices_[i])].add(
            rows[i].part(batch.first_row, batch.num_rows).both(),
            parts_.settings.whiten ? rows[i].gradients.size(1) : 0);
      }
    }
    std::map<std::string, at::Tensor> whitening;
    for (const auto& [shape, moments] : moments_) whitening[shape] = moments.whitening();
    for (size_t i = 0; i < matrices_.size(); ++i) {
      const std::string shape = shape_of(matrices_[i]);
      overlay.add(matrices_[i], change(rows[i], moments_.at(shape), whitening.at(shape)));
    }
    return notes;
  }

  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> all;
    for (const auto& [shape, moments] : moments_) {
      all[shape + "/count"] = at::full({1}, moments.count, at::kDouble);
      all[shape + "/mean"] = moments.mean;
      all[shape + "/squares"] = moments.squares;
      if (moments.products.defined()) all[shape + "/products"] = moments.products;
    }
    return all;
  }

  void restore(const std::map<std::string, at::Tensor>& state) override {
    moments_.clear();
    for (const auto& [name, tensor] : state) {
      const std::string shape = name.substr(0, name.find('/'));
      RunningMoments& moments = moments_[shape];
      if (name.ends_with("/count")) moments.count = tensor[0].item<double>();
      if (name.ends_with("/mean")) moments.mean = tensor.clone();
      if (name.ends_with("/squares")) moments.squares = tensor.clone();
      if (name.ends_with("/products")) moments.products = tensor.clone();
    }
  }

 private:
  /// At the positions that predict targets, one row each. In fp32, which holds any compute dtype:
  /// those of all matrices are there at once.
  struct Rows {
    at::Tensor inputs;     ///< [n, I]
    at::Tensor gradients;  ///< [n, O]

    Rows part(int64_t first, int64_t count) const {
      return {inputs.narrow(0, first, count), gradients.narrow(0, first, count)};
    }
    at::Tensor both() const { return at::cat({inputs, gradients}, 1).to(at::kDouble); }
  };

  /// Edits of a turn that are read together.
  struct Batch {
    std::vector<size_t> requests;
    std::vector<RequestTokens> tokens;  ///< of each
    int64_t first_row = 0;              ///< among those of the turn
    int64_t num_rows = 0;               ///< target tokens
  };

  /// The turn in batches, the longest first, as the authors' loader hands them out.
  std::vector<Batch> batches_of(std::span<const EditRequest> requests) const {
    std::vector<RequestTokens> tokens;
    for (const EditRequest& request : requests)
      tokens.push_back(request_tokens(model_, request, kPromptPlace, /*with_subject=*/false));
    std::vector<size_t> order(requests.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(
        order, [&](size_t a, size_t b) { return tokens[a].ids.size() > tokens[b].ids.size(); });
    std::vector<Batch> batches;
    int64_t rows = 0;
    for (const size_t request : order) {
      if (batches.empty() || std::ssize(batches.back().requests) == kEditsTogether)
        batches.push_back({.requests = {}, .tokens = {}, .first_row = rows});
      Batch& batch = batches.back();
      const auto count = std::ssize(tokens[request].target_ids);
      batch.requests.push_back(request);
      batch.tokens.push_back(std::move(tokens[request]));
      batch.num_rows += count;
      rows += count;
    }
    return batches;
  }

  std::string shape_of(const MatrixPlace& matrix) const {
    const at::Tensor whole = model_.weights(matrix.unit)[matrix.parameter];
    return concat(matrix.rows, "x", whole.size(1));
  }

  /// (HᵀH + ridge I) X = HᵀV for ΔW = Xᵀ.
  at::Tensor change(const Rows& rows, const RunningMoments& moments,
                    const at::Tensor& whitening) const {
    const at::Tensor raw = rows.both();
    const at::Tensor both = moments.normalized(raw);
    const at::Tensor inputs = both.narrow(1, 0, rows.inputs.size(1));
    const int64_t width = rows.gradients.size(1), first = rows.inputs.size(1);
    const at::Tensor gradients =
        whitening.defined() ? (raw - moments.mean).narrow(1, first, width).matmul(whitening)
                            : both.narrow(1, first, width);
    const at::Tensor values = inputs.square().sum(1, /*keepdim=*/true) * gradients *
                              -parts_.settings.learning_rate;  // [n, O]
    const KeySystem system(at::eye(first, raw.options()) / parts_.settings.ridge);
    return system.change(rows.inputs.to(at::kDouble).t(), values.t());
  }

  std::vector<Rows> collect(std::span<const EditRequest> requests,
                            const std::vector<Batch>& batches, EditNotes& notes, Team& team) {
    std::vector<TreeSequence> sequences(requests.size());
    std::vector<int64_t> first_row(requests.size());
    std::vector<double> shares(requests.size());  // of a batch's loss
    int64_t total = 0;
    for (const Batch& batch : batches) {
      for (size_t i = 0; i < batch.requests.size(); ++i) {
        const size_t request = batch.requests[i];
        const auto count = std::ssize(batch.tokens[i].target_ids);
        first_row[request] = total;
        shares[request] = static_cast<double>(count) / static_cast<double>(batch.num_rows);
        sequences[request] = labelled(batch.tokens[i], shares[request]);
        total += count;
      }
    }
    std::vector<Rows> rows;
    const at::TensorOptions single = at::TensorOptions(model_.device).dtype(at::kFloat);
    for (const MatrixPlace& matrix : matrices_) {
      const int64_t columns = model_.weights(matrix.unit)[matrix.parameter].size(1);
      rows.push_back(
          {at::zeros({total, columns}, single), at::zeros({total, matrix.rows}, single)});
    }
    // Requests do not share rows: a row's gradient belongs to one of them.
    std::vector<PackedBatch> packs = pack_sequences(sequences, {.share_prefixes = false,
                                                                .max_tokens = parts_.max_tokens,
                                                                .max_sequences = 0,
                                                                .device = model_.device});
    at::Tensor losses = at::zeros({std::ssize(requests)}, at::TensorOptions().dtype(at::kDouble));
    for (size_t i = 0; i < packs.size(); ++i) {
      if (static_cast<int>(i) % team.size() != team.rank()) continue;
      add(RowPass(model_, std::move(packs[i])), first_row, rows, losses);
    }
    for (Rows& one : rows) {
      team.add_up(one.inputs);
      team.add_up(one.gradients);
    }
    team.add_up(losses);
    const double* values = losses.const_data_ptr<double>();
    for (size_t i = 0; i < requests.size(); ++i) {
      XKDE_CHECK(std::isfinite(values[i]), NumericError, "record ", requests[i].record, " (",
                 requests[i].language, "): expected a finite loss of the edit, found ", values[i]);
      notes.losses[i] = values[i] / shares[i];
    }
    for (const Batch& batch : batches) {
      double loss = 0.0;
      for (const size_t request : batch.requests) loss += values[request];
      notes.step_losses.push_back(loss);
    }
    return rows;
  }

  void add(RowPass pass, const std::vector<int64_t>& first_row, std::vector<Rows>& rows,
           at::Tensor& losses) const {
    pass.advance_to(lowest_);
    const PackedBatch& batch = pass.batch();
    const c10::AutoGradMode with_graph(true);
    std::map<size_t, ProductTap> taps;  // by unit
    for (const MatrixPlace& matrix : matrices_) taps.try_emplace(matrix.unit);
    at::Tensor x = pass.rows();
    for (int64_t layer = lowest_; layer < model_.decoder.num_blocks(); ++layer) {
      const auto unit = static_cast<size_t>(layer) + 1;
      const auto tap = taps.find(unit);
      x = model_.decoder.block(model_.weights(unit), x, pass.context().of(layer),
                               tap != taps.end() ? &tap->second : nullptr);
    }
    std::vector<at::Tensor> outputs;
    for (const MatrixPlace& matrix : matrices_)
      outputs.push_back(taps.at(matrix.unit).of(matrix.role).output);
    const TargetLoss loss = target_loss(model_, x, batch, outputs);
    add_by_sequence(losses, loss, batch);
    const std::vector<at::Tensor>& gradients = loss.gradients;
    const at::Tensor places = rows_of(batch, first_row);
    for (size_t i = 0; i < matrices_.size(); ++i) {
      const at::Tensor input = taps.at(matrices_[i].unit).of(matrices_[i].role).input;
      const at::Tensor gradient = gradients[i].narrow(1, matrices_[i].first_row, matrices_[i].rows);
      rows[i].inputs.index_copy_(0, places, input.index_select(0, batch.label_rows).to(at::kFloat));
      rows[i].gradients.index_copy_(0, places,
                                    gradient.index_select(0, batch.label_rows).to(at::kFloat));
    }
  }

  /// Where the label rows of a pack stand among those of all requests.
  at::Tensor rows_of(const PackedBatch& batch, const std::vector<int64_t>& first_row) const {
    std::vector<int64_t> places;
    std::map<int64_t, int64_t> next;
    for (const int64_t sequence : batch.label_sequence)
      places.push_back(first_row[static_cast<size_t>(sequence)] + next[sequence]++);
    return at::tensor(places, at::TensorOptions().dtype(at::kLong)).to(model_.device);
  }

  const EditableModel& model_;
  EditorParts parts_;
  std::vector<MatrixPlace> matrices_;
  int64_t lowest_ = 0;
  std::map<std::string, RunningMoments> moments_;  ///< by shape
};

}  // namespace

std::unique_ptr<Editor> make_ultraedit(const EditableModel& model, EditorParts parts) {
  return std::make_unique<UltraEdit>(model, std::move(parts));
}

}  // namespace xkde
