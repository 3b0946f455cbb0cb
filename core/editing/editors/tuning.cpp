#include "core/editing/editors/tuning.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/base/stop_signals.h"
#include "core/editing/adam.h"
#include "core/editing/request_tokens.h"
#include "core/editing/row_pass.h"
#include "core/editing/target_loss.h"
#include "core/nn/device_copy.h"

namespace xkde {
namespace {

/// A request as a sequence whose labels' weights add up to 1.
TreeSequence sequence_of(const EditableModel& model, const EditRequest& request,
                         const TuningOptions& options) {
  RequestTokens tokens = request_tokens(model, request, kPromptPlace, /*with_subject=*/false);
  if (options.trains_end) {
    XKDE_CHECK(model.end_id, ConfigError,
               "editor: expected a model with a token that ends a text, found none");
    tokens.ids.push_back(tokens.target_ids.back());
    tokens.target_ids.push_back(*model.end_id);
  }
  const int64_t last = tokens.first_prediction;
  TreeSequence sequence = labelled(std::move(tokens));
  if (options.at_last_prompt_token) {
    for (LabelledToken& label : sequence.labels) label.position = last;
    sequence.ids.resize(static_cast<size_t>(last) + 1);
  }
  return sequence;
}

class Tuner {
 public:
  Tuner(const EditableModel& model, std::span<const EditRequest> requests,
        const EditorSettings& settings, const TuningOptions& options, Tunable& tunable, Team& team)
      : model_(model),
        requests_(requests),
        settings_(settings),
        options_(options),
        tunable_(tunable),
        team_(team) {
    for (const EditRequest& request : requests)
      sequences_.push_back(sequence_of(model, request, options));
    keep_rows();
  }

  EditNotes run() {
    EditNotes notes{.steps = std::vector<int64_t>(requests_.size()),
                    .losses = std::vector<double>(requests_.size()),
                    .step_losses = {},
                    .orders = {}};
    const auto count = std::ssize(requests_);
    RandomStream random(options_.seed, "editor");
    Adam adam(tunable_.tensors(), settings_.learning_rate);
    for (int64_t pass = 0; pass < options_.passes; ++pass) {
      std::vector<int64_t> order(requests_.size());
      std::iota(order.begin(), order.end(), 0);
      if (options_.shuffles) {
        order = random.permutation(count);
        notes.orders.push_back(order);
      }
      double total = 0.0;
      for (int64_t begin = 0; begin < count; begin += settings_.batch_size) {
        const int64_t end = std::min(count, begin + settings_.batch_size);
        const std::span<const int64_t> batch(order.data() + begin,
                                             static_cast<size_t>(end - begin));
        const double loss = step(batch, adam, notes);
        notes.step_losses.push_back(loss);
        total += loss * static_cast<double>(end - begin);
      }
      if (total / static_cast<double>(count) < settings_.stop_loss) break;
    }
    return notes;
  }

 private:
  /// The rows of each request at the input of the trained block.
  void keep_rows() {
    rows_.resize(sequences_.size());
    for (PackedBatch& batch : packed(all_positions(sequences_))) {
      RowPass pass(model_, std::move(batch));
      pass.advance_to(tunable_.layer());
      const at::Tensor rows = pass.label_rows();
      int64_t next = 0;
      const std::vector<int64_t>& owners = pass.batch().label_sequence;
      while (next < std::ssize(owners)) {
        const auto owner = static_cast<size_t>(owners[static_cast<size_t>(next)]);
        const int64_t length = std::ssize(sequences_[owner].ids);
        rows_[owner] = rows.narrow(0, next, length).clone();
        next += length;
      }
    }
  }

  /// The same sequences with a label at each position.
  static std::vector<TreeSequence> all_positions(std::vector<TreeSequence> sequences) {
    for (TreeSequence& sequence : sequences) {
      sequence.labels.clear();
      for (int64_t i = 0; i < std::ssize(sequence.ids); ++i) sequence.labels.push_back({i, 0, 0.0});
    }
    return sequences;
  }

  std::vector<PackedBatch> packed(const std::vector<TreeSequence>& sequences) const {
    return pack_sequences(sequences, {.share_prefixes = true,
                                      .max_tokens = options_.max_tokens,
                                      .max_sequences = 0,
                                      .device = model_.device});
  }

  /// One update by some requests; returns their mean loss.
  double step(std::span<const int64_t> batch, Adam& adam, EditNotes& notes) {
    // Where others wait for this one's sums, the caller looks between batches.
    if (team_.size() == 1) check_stop();
    std::vector<TreeSequence> chosen;
    for (const int64_t request : batch) {
      chosen.push_back(sequences_[static_cast<size_t>(request)]);
      for (LabelledToken& label : chosen.back().labels)
        label.weight /= static_cast<double>(batch.size());
    }
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& tensor : tunable_.tensors())
      leaves.push_back(tensor.detach().requires_grad_(true));
    std::vector<at::Tensor> gradients;
    for (const at::Tensor& leaf : leaves) gradients.push_back(at::zeros_like(leaf).detach());
    at::Tensor losses = at::zeros({std::ssize(batch)}, at::TensorOptions().dtype(at::kDouble));
    const std::vector<TreeSequence> everywhere = all_positions(chosen);
    // Both lists are packed alike: labels change nothing of where rows go.
    std::vector<PackedBatch> packs = packed(chosen);
    const std::vector<PackedBatch> places = packed(everywhere);
    for (size_t i = 0; i < packs.size(); ++i) {
      if (static_cast<int>(i) % team_.size() != team_.rank()) continue;
      add(packs[i], rows_at(places[i], batch), leaves, gradients, losses);
    }
    team_.add_up(losses);
    const double loss = losses.sum().item<double>();
    for (size_t i = 0; i < batch.size(); ++i) {
      const auto request = static_cast<size_t>(batch[i]);
      const double own =
          losses[static_cast<int64_t>(i)].item<double>() * static_cast<double>(batch.size());
      XKDE_CHECK(std::isfinite(own), NumericError, "record ", requests_[request].record, " (",
                 requests_[request].language, "): expected a finite loss of the edit, found ", own);
      notes.losses[request] = own;
      ++notes.steps[request];
    }
    if (loss < settings_.stop_loss) return loss;
    for (at::Tensor& gradient : gradients) team_.add_up(gradient);
    adam.update(tunable_.tensors(), gradients);
    tunable_.limit();
    return loss;
  }

  at::Tensor rows_at(const PackedBatch& places, std::span<const int64_t> batch) const {
    at::Tensor rows = at::empty({places.num_tokens(), model_.decoder.config().hidden_size},
                                at::TensorOptions(model_.device).dtype(model_.dtype));
    std::vector<at::Tensor> parts;
    int64_t next = 0;
    while (next < std::ssize(places.label_sequence)) {
      const auto owner = static_cast<size_t>(places.label_sequence[static_cast<size_t>(next)]);
      parts.push_back(rows_[static_cast<size_t>(batch[owner])]);
      next += parts.back().size(0);
    }
    rows.index_copy_(0, places.label_rows, at::cat(parts));
    return rows;
  }

  void add(const PackedBatch& pack, const at::Tensor& rows, const std::vector<at::Tensor>& leaves,
           std::vector<at::Tensor>& gradients, at::Tensor& losses) const {
    at::Tensor top;
    {
      const c10::AutoGradMode with_graph(true);
      top = tunable_.forward(rows, model_.decoder.context(pack, model_.dtype), leaves);
    }
    const TargetLoss found = target_loss(model_, top, pack, leaves);
    add_by_sequence(losses, found, pack);
    for (size_t i = 0; i < leaves.size(); ++i) gradients[i].add_(found.gradients[i]);
  }

  const EditableModel& model_;
  std::span<const EditRequest> requests_;
  const EditorSettings& settings_;
  const TuningOptions& options_;
  Tunable& tunable_;
  Team& team_;
  std::vector<TreeSequence> sequences_;
  std::vector<at::Tensor> rows_;  ///< of each request, [T, D]
};

}  // namespace

EditNotes tune(const EditableModel& model, std::span<const EditRequest> requests,
               const EditorSettings& settings, const TuningOptions& options, Tunable& tunable,
               Team& team) {
  return Tuner(model, requests, settings, options, tunable, team).run();
}

}  // namespace xkde
