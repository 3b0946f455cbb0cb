#include <algorithm>
#include <map>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/editing/editors/editors.h"
#include "core/editing/lookup/codebook.h"
#include "core/editing/request_tokens.h"
#include "core/editing/row_pass.h"
#include "core/editing/value_vectors.h"
#include "core/nn/device_copy.h"

namespace xkde {
namespace {

/// A codebook at one block (arXiv:2211.11031). Keys are what stands below the block and never
/// change, so all requests of a batch are placed first; then the values of different entries are
/// trained together, those of one entry one after another.
class Grace final : public Editor {
 public:
  Grace(const EditableModel& model, EditorParts parts)
      : model_(model),
        parts_(std::move(parts)),
        codebook_(parts_.settings.layers().front(), model.device) {}

  EditNotes write(std::span<const EditRequest> requests, WeightOverlay& /*overlay*/,
                  Team& team) override {
    const at::Tensor keys = prompt_keys(requests, team);
    std::vector<std::vector<size_t>> rounds;
    std::map<int64_t, size_t> seen;  // of each entry: the requests before
    std::vector<int64_t> entries;
    for (size_t i = 0; i < requests.size(); ++i) {
      const std::vector<int64_t> target =
          request_tokens(model_, requests[i], kPromptPlace, /*with_subject=*/false).target_ids;
      entries.push_back(codebook_.place(keys[static_cast<int64_t>(i)], target,
                                        parts_.settings.radius, first_value(codebook_.size())));
      const size_t round = seen[entries.back()]++;
      if (round == rounds.size()) rounds.emplace_back();
      rounds[round].push_back(i);
    }
    EditNotes notes{.steps = std::vector<int64_t>(requests.size()),
                    .losses = std::vector<double>(requests.size()),
                    .step_losses = {},
                    .orders = {}};
    for (const std::vector<size_t>& round : rounds) train(requests, round, entries, team, notes);
    return notes;
  }

  std::map<std::string, at::Tensor> state() const override { return codebook_.state(); }
  void restore(const std::map<std::string, at::Tensor>& state) override {
    codebook_.restore(state);
  }
  const EditLookup* lookup() const override { return &codebook_; }

 private:
  /// The inputs of down_proj at the prompts' last tokens, fp32 [R, F].
  at::Tensor prompt_keys(std::span<const EditRequest> requests, Team& team) const {
    std::vector<TreeSequence> prompts;
    for (const EditRequest& request : requests) {
      RequestTokens tokens = request_tokens(model_, request, kPromptPlace, /*with_subject=*/false);
      tokens.ids.resize(static_cast<size_t>(tokens.first_prediction) + 1);
      prompts.push_back({std::move(tokens.ids), {{tokens.first_prediction, 0, 0.0}}});
    }
    const int64_t width = model_.decoder.config().intermediate_size;
    at::Tensor keys = at::zeros({std::ssize(requests), width},
                                at::TensorOptions(model_.device).dtype(at::kFloat));
    std::vector<PackedBatch> batches = pack_sequences(prompts, {.share_prefixes = true,
                                                                .max_tokens = parts_.max_tokens,
                                                                .max_sequences = 0,
                                                                .device = model_.device});
    for (size_t i = 0; i < batches.size(); ++i) {
      if (static_cast<int>(i) % team.size() != team.rank()) continue;
      const at::Tensor owners = to_device(batches[i].label_sequence, model_.device);
      RowPass pass(model_, std::move(batches[i]));
      pass.advance_to(codebook_.layer());
      keys.index_copy_(0, owners, pass.keys().to(at::kFloat));
    }
    team.add_up(keys);
    const at::Tensor is_finite = keys.isfinite().all(1).cpu();
    for (size_t i = 0; i < requests.size(); ++i) {
      XKDE_CHECK(is_finite[static_cast<int64_t>(i)].item<bool>(), NumericError, "record ",
                 requests[i].record, " (", requests[i].language,
                 "): expected a finite key of its prompt, found NaN or infinity");
    }
    return keys;
  }

  /// What entry `number` begins as: uniform in [0, 1).
  at::Tensor first_value(int64_t number) const {
    RandomStream random(parts_.seed, "grace", static_cast<uint64_t>(number));
    std::vector<float> values(static_cast<size_t>(model_.decoder.config().hidden_size));
    for (float& value : values) value = static_cast<float>(random.uniform());
    return to_device(values, model_.device);
  }

  /// Requests of different entries.
  void train(std::span<const EditRequest> requests, const std::vector<size_t>& round,
             const std::vector<int64_t>& entries, Team& team, EditNotes& notes) {
    std::vector<EditRequest> chosen;
    std::vector<at::Tensor> start;
    for (const size_t request : round) {
      chosen.push_back(requests[request]);
      start.push_back(codebook_.value(entries[request]));
    }
    // One loss more than updates: the last one is that of the value that stays.
    EditorSettings settings = parts_.settings;
    ++settings.steps;
    const ValueVectors found = value_vectors(model_, chosen, settings,
                                             {.layer = codebook_.layer(),
                                              .place = VectorPlace::kMlpOutput,
                                              .contexts = {std::string(kPromptPlace)},
                                              .max_tokens = parts_.max_tokens,
                                              .at_prompt_end = true,
                                              .start = at::stack(start)},
                                             team);
    for (size_t i = 0; i < round.size(); ++i) {
      codebook_.set_value(entries[round[i]], found.values[static_cast<int64_t>(i)]);
      notes.steps[round[i]] = found.steps[i];
      notes.losses[round[i]] = found.losses[i];
    }
  }

  const EditableModel& model_;
  EditorParts parts_;
  Codebook codebook_;
};

}  // namespace

std::unique_ptr<Editor> make_grace(const EditableModel& model, EditorParts parts) {
  return std::make_unique<Grace>(model, std::move(parts));
}

}  // namespace xkde
