#include <map>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/editing/editors/editors.h"
#include "core/editing/editors/tuning.h"
#include "core/model/lora.h"

namespace xkde {
namespace {

/// Adapters of chosen layers, trained.
class Adapters final : public Tunable {
 public:
  Adapters(const EditableModel& model, const LoraOptions& options, uint64_t seed,
           const std::vector<int64_t>& layers)
      : model_(model), options_(options), blocks_(lora_blocks(model.decoder.config(), options)) {
    for (const int64_t layer : layers) {
      const auto at = static_cast<size_t>(layer);
      std::map<std::string, at::Tensor> by_name;
      std::vector<at::Tensor>& matrices = matrices_[layer];
      int64_t numel = 0;
      for (const LoraTensor& tensor : blocks_[at].tensors)
        numel += tensor.shape[0] * tensor.shape[1];
      at::Tensor flat = at::zeros({numel}, at::TensorOptions().dtype(at::kFloat));
      // In the flat vector each group has its first matrices, then its second ones, as the list of
      // tensors names them.
      int64_t offset = 0;
      for (const LoraTensor& tensor : blocks_[at].tensors) {
        const int64_t size = tensor.shape[0] * tensor.shape[1];
        fill_new_adapter(tensor, seed,
                         {flat.mutable_data_ptr<float>() + offset, static_cast<size_t>(size)});
        offset += size;
      }
      flat = flat.to(model.device);
      for (const at::Tensor& matrix : lora_matrices(blocks_[at], options.r, flat))
        matrices.push_back(matrix);
    }
  }

  std::vector<at::Tensor> tensors() override {
    std::vector<at::Tensor> all;
    for (const auto& [layer, matrices] : matrices_)
      all.insert(all.end(), matrices.begin(), matrices.end());
    return all;
  }

  int64_t layer() const override { return matrices_.begin()->first; }

  at::Tensor forward(const at::Tensor& rows, const BlockContext& context,
                     const std::vector<at::Tensor>& leaves) const override {
    at::Tensor x = rows;
    auto next = leaves.begin();
    for (int64_t at = layer(); at < model_.decoder.num_blocks(); ++at) {
      const auto found = matrices_.find(at);
      const std::vector<at::Tensor> parameters = model_.weights(static_cast<size_t>(at) + 1);
      if (found == matrices_.end()) {
        x = model_.decoder.block(parameters, x, context.of(at));
        continue;
      }
      std::vector<at::Tensor> matrices;
      for (size_t i = 0; i < found->second.size(); ++i)
        matrices.push_back((next++)->to(model_.dtype));
      const BlockAdapters adapters(blocks_[static_cast<size_t>(at)], matrices, options_);
      x = model_.decoder.block(parameters, x, context.of(at), &adapters);
    }
    return x;
  }

  /// Adds what was trained to the weights.
  void merge(WeightOverlay& overlay) const {
    for (const auto& [layer, matrices] : matrices_) {
      const BlockAdapters adapters(blocks_[static_cast<size_t>(layer)], matrices, options_);
      for (const std::string& module : lora_modules(model_.decoder.config(), options_)) {
        const MatrixPlace matrix = find_matrix(model_.decoder, layer, module, "editor.modules");
        const LoraWeights& weights = *adapters.of(matrix.role);
        for (size_t i = 0; i < weights.rows.size(); ++i) {
          if (weights.rows[i].begin != matrix.first_row) continue;
          const int64_t r = options_.r;
          const at::Tensor a = weights.a.narrow(0, static_cast<int64_t>(i) * r, r);
          overlay.add(matrix, weights.b[i].matmul(a) * weights.scale);
        }
      }
    }
  }

 private:
  const EditableModel& model_;
  LoraOptions options_;
  std::vector<LoraBlock> blocks_;
  std::map<int64_t, std::vector<at::Tensor>> matrices_;  ///< of each layer, fp32
};

/// A low-rank adapter for each batch, merged into the weights behind it (arXiv:2106.09685).
class LoraEditor final : public Editor {
 public:
  LoraEditor(const EditableModel& model, EditorParts parts)
      : model_(model), parts_(std::move(parts)), layers_(parts_.settings.modules.front().layers) {
    options_.r = parts_.settings.lora_r;
    options_.alpha = parts_.settings.lora_alpha;
    options_.target_modules.clear();
    for (const ModuleLayers& module : parts_.settings.modules) {
      XKDE_CHECK(module.layers == layers_, InternalError, "lora: modules of other layers");
      options_.target_modules.push_back(module.module);
    }
  }

  EditNotes write(std::span<const EditRequest> requests, WeightOverlay& overlay,
                  Team& team) override {
    Adapters adapters(model_, options_, parts_.seed, layers_);
    const TuningOptions options{.passes = parts_.settings.steps,
                                .shuffles = false,
                                .trains_end = false,
                                .at_last_prompt_token = false,
                                .max_tokens = parts_.max_tokens,
                                .seed = parts_.seed};
    EditNotes notes = tune(model_, requests, parts_.settings, options, adapters, team);
    adapters.merge(overlay);
    return notes;
  }

 private:
  const EditableModel& model_;
  EditorParts parts_;
  std::vector<int64_t> layers_;
  LoraOptions options_;
};

}  // namespace

std::unique_ptr<Editor> make_lora_editor(const EditableModel& model, EditorParts parts) {
  return std::make_unique<LoraEditor>(model, std::move(parts));
}

}  // namespace xkde
