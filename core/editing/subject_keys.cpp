#include "core/editing/subject_keys.h"

#include <utility>

#include <ATen/ATen.h>

#include "core/editing/request_tokens.h"
#include "core/nn/device_copy.h"

namespace xkde {

SubjectRows::SubjectRows(const EditableModel& model, std::span<const EditRequest> requests,
                         const std::vector<std::string>& contexts, int64_t max_tokens, Team& team)
    : model_(model), team_(team), requests_(std::ssize(requests)), contexts_(std::ssize(contexts)) {
  std::vector<TreeSequence> sequences;
  for (const EditRequest& request : requests) {
    for (const std::string& context : contexts) {
      RequestTokens tokens = request_tokens(model, request, context, /*with_subject=*/true);
      tokens.ids.resize(static_cast<size_t>(tokens.subject_end) + 1);
      const int64_t last = tokens.subject_end;
      sequences.push_back({std::move(tokens.ids), {{last, 0, 0.0}}});
    }
  }
  const PackOptions options{
      .share_prefixes = true, .max_tokens = max_tokens, .max_sequences = 0, .device = model.device};
  std::vector<PackedBatch> batches = pack_sequences(sequences, options);
  for (size_t i = 0; i < batches.size(); ++i) {
    if (static_cast<int>(i) % team.size() != team.rank()) continue;
    if (passes_.size() < kKeptPasses) {
      passes_.emplace_back(model, std::move(batches[i]));
    } else {
      batches_.push_back(std::move(batches[i]));
    }
  }
}

void SubjectRows::advance_to(int64_t layer) {
  layer_ = layer;
  for (RowPass& pass : passes_) pass.advance_to(layer);
}

double SubjectRows::weight_of(int64_t context, Mean mean) const {
  if (mean == Mean::kOfAll || contexts_ == 1) return 1.0 / static_cast<double>(contexts_);
  return context == 0 ? 0.5 : 0.5 / static_cast<double>(contexts_ - 1);
}

template <typename AtLabels>
at::Tensor SubjectRows::means(int64_t width, const AtLabels& at_labels, Mean mean) const {
  at::Tensor sums =
      at::zeros({requests_, width}, at::TensorOptions(model_.device).dtype(at::kDouble));
  const auto add = [&](const RowPass& pass) {
    std::vector<int64_t> owners;
    std::vector<double> weights;
    for (const int64_t sequence : pass.batch().label_sequence) {
      owners.push_back(sequence / contexts_);
      weights.push_back(weight_of(sequence % contexts_, mean));
    }
    const at::Tensor index = to_device(owners, model_.device);
    const at::Tensor weight = to_device(weights, model_.device).unsqueeze(1);
    sums.index_add_(0, index, at_labels(pass).to(at::kDouble) * weight);
  };
  for (const RowPass& pass : passes_) add(pass);
  for (const PackedBatch& batch : batches_) {
    RowPass pass(model_, batch);
    pass.advance_to(layer_);
    add(pass);
  }
  team_.add_up(sums);
  return sums;
}

at::Tensor SubjectRows::keys(Mean mean) const {
  const int64_t width = model_.decoder.config().intermediate_size;
  return means(
      width, [](const RowPass& pass) { return pass.keys(); }, mean);
}

at::Tensor SubjectRows::mlp_outputs() const {
  const int64_t width = model_.decoder.config().hidden_size;
  return means(width, [](const RowPass& pass) { return pass.mlp_outputs(); });
}

at::Tensor SubjectRows::outputs(int64_t layer) const {
  const int64_t width = model_.decoder.config().hidden_size;
  return means(width, [&](const RowPass& pass) {
    return rows_above(model_, pass, layer + 1).index_select(0, pass.batch().label_rows);
  });
}

}  // namespace xkde
