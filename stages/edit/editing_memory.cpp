#include "stages/edit/editing_memory.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/editing/editor_options.h"
#include "core/editing/request_tokens.h"
#include "core/editing/subject_keys.h"
#include "core/editing/value_vectors.h"
#include "core/editing/weight_overlay.h"
#include "core/loss/token_loss.h"
#include "core/model/token_tree.h"
#include "core/nn/layers.h"

namespace xkde::recipe {
namespace {

constexpr int64_t kWide = 4, kDouble = 8;  // bytes of fp32 and fp64
/// Requests that are tokenised to know how long they are; a batch of more fills its passes.
constexpr size_t kMostRequests = 256;
/// Of the texts that a model makes as contexts: the tokens that are drawn, the first word, ". ".
constexpr int64_t kContextTokens = 13;

/// An edited matrix.
struct Matrix {
  int64_t layer = 0, rows = 0, columns = 0;
  int64_t numel() const { return rows * columns; }
};

std::vector<Matrix> matrices_of(const EditorSettings& settings, const Decoder& decoder) {
  std::vector<Matrix> all;
  for (const ModuleLayers& module : settings.modules) {
    for (const int64_t layer : module.layers) {
      const MatrixPlace place = find_matrix(decoder, layer, module.module, "editor.layers");
      for (const UnitTensor& tensor : decoder.units()[place.unit].tensors) {
        if (tensor.name == place.name) all.push_back({layer, tensor.shape[0], tensor.shape[1]});
      }
    }
  }
  return all;
}

/// What one batch of requests is computed with.
struct Sequence {
  int64_t length = 0;   ///< of prompt and target
  int64_t before = 0;   ///< tokens before the subject's last one
  int64_t targets = 0;  ///< tokens of the target
  int64_t essence = 0;  ///< rows of the essence prompt
};

class Editing {
 public:
  Editing(const EditingWork& work, const SurveyInputs& inputs, const Decoder& decoder,
          const dist::ModelShape& model, at::ScalarType dtype)
      : work_(work),
        kind_(work.kind),
        entry_(entry_of(kEditors, kind_)),
        inputs_(inputs),
        model_(model),
        dtype_(dtype),
        w_(static_cast<int64_t>(c10::elementSize(dtype))),
        settings_(editor_settings(kind_, work.editor, decoder.config())),
        matrices_(matrices_of(settings_, decoder)) {}

  EditingMemory of(const std::vector<std::vector<Sequence>>& batches) const {
    EditingMemory bytes;
    if (!entry_.looks_up) {
      for (const Matrix& matrix : matrices_) bytes.edits += (w_ + kWide) * matrix.numel();
    }
    bytes.editor = entry_.looks_up ? lookup_bytes(work_.edits_together) : editor_bytes();
    bytes.writing = beginning_bytes();
    for (const std::vector<Sequence>& batch : batches)
      bytes.writing = std::max(bytes.writing, writing_bytes(batch));
    if (is_of(kValueKinds) && !work_.is_stream) {
      // The value vectors of all requests are found before the first batch.
      std::vector<Sequence> all;
      for (const std::vector<Sequence>& batch : batches)
        all.insert(all.end(), batch.begin(), batch.end());
      bytes.writing = std::max(bytes.writing, value_bytes(all));
    }
    if (settings_.anchor_edits > 0)
      bytes.writing = std::max(bytes.writing, value_bytes(pilots(batches)));
    return bytes;
  }

 private:
  bool is_of(uint32_t kinds) const { return (kinds >> static_cast<uint32_t>(kind_) & 1U) != 0; }
  int64_t square(const Matrix& matrix) const { return kDouble * matrix.columns * matrix.columns; }

  /// The inverse of each layer, and AlphaEdit's basis; of editors that remember also the inverse of
  /// the beginning. Where the basis is found anew, it and the sum of keys are there twice, too.
  int64_t editor_bytes() const {
    int64_t bytes = 0;
    if (!entry_.needs_moments) return bytes;
    int64_t copies = (entry_.remembers ? 2 : 1) + (is_alphaedit() ? 1 : 0);
    if (settings_.refresh_every > 0) copies += 3;
    for (const Matrix& matrix : matrices_) bytes += copies * square(matrix);
    return bytes;
  }

  /// A codebook's entries, with a copy as one more comes in; of a side memory the model's own
  /// matrix, the open one with its mask, and all that questions may find.
  int64_t lookup_bytes(int64_t edits) const {
    const Matrix& matrix = matrices_.front();
    if (kind_ == EditorKind::kGrace) return 2 * kWide * edits * (matrix.rows + matrix.columns);
    const int64_t shards = edits / settings_.shard_edits;
    return matrix.numel() * (3 * kWide + w_ + shards * (kWide + w_));
  }

  /// What NAS's anchor is found of.
  std::vector<Sequence> pilots(const std::vector<std::vector<Sequence>>& batches) const {
    std::vector<Sequence> first;
    for (const std::vector<Sequence>& batch : batches) {
      for (const Sequence& one : batch) {
        if (std::ssize(first) < settings_.anchor_edits) first.push_back(one);
      }
    }
    return first;
  }

  bool is_alphaedit() const { return kind_ == EditorKind::kAlphaEdit; }

  /// Second moments, weighted, and their factor; AlphaEdit's eigenvectors with their work space.
  int64_t beginning_bytes() const {
    int64_t widest = 0;
    for (const Matrix& matrix : matrices_) widest = std::max(widest, square(matrix));
    return entry_.needs_moments ? (is_alphaedit() ? 4 : 3) * widest : 0;
  }

  int64_t writing_bytes(const std::vector<Sequence>& batch) const {
    if (is_of(kValueKinds)) return std::max(value_bytes(batch), change_bytes());
    if (kind_ == EditorKind::kUltraEdit) return ultra_bytes(batch);
    if (kind_ == EditorKind::kGrace) return value_bytes(batch);
    if (kind_ == EditorKind::kWise) return side_bytes(batch);
    return tuning_bytes(batch);
  }

  /// A change in fp64, the matrix in fp64 with and without it, and the result; what a stop goes
  /// back to, beside what the batch makes of it.
  int64_t change_bytes() const {
    int64_t largest = 0, remembered = 0;
    for (const Matrix& matrix : matrices_) {
      if (entry_.remembers) remembered += square(matrix);
      largest = std::max(largest, (3 * kDouble + kWide) * matrix.numel());
    }
    return largest + remembered;
  }

  int64_t contexts() const {
    const int64_t named = std::ssize(work_.editor.context_templates);
    if (named > 0) {
      const bool has_bare = std::ranges::count(work_.editor.context_templates, kPromptPlace) > 0;
      return named + (has_bare ? 0 : 1);
    }
    if (kind_ == EditorKind::kGrace) return 1;
    if (kind_ == EditorKind::kWise) return 11;
    return kind_ == EditorKind::kRome ? 21 : 6;
  }

  /// A search for value vectors: of the group of requests that has most rows.
  int64_t value_bytes(const std::vector<Sequence>& batch) const {
    std::vector<int64_t> rows;
    for (const Sequence& one : batch)
      rows.push_back(contexts() * (one.length - one.before) + one.essence);
    const auto sum = [](std::span<const int64_t> all) {
      return std::accumulate(all.begin(), all.end(), int64_t{0});
    };
    const int64_t most =
        entry_.one_by_one ? 0
                          : most_group_rows(sum(rows), device(), work_.editor.max_tokens_per_batch);
    int64_t largest = 0;
    size_t begin = 0;
    for (const int64_t size : group_sizes(rows, most)) {
      const auto count = static_cast<size_t>(size);
      largest = std::max(largest, search_bytes(std::span(batch).subspan(begin, count),
                                               sum(std::span(rows).subspan(begin, count))));
      begin += count;
    }
    return largest;
  }

  /// What the blocks above the edited one keep of their rows for the backward pass, and the keys
  /// and values of what stands before.
  int64_t search_bytes(std::span<const Sequence> group, int64_t rows) const {
    int64_t own = 0, past = 0, tokens_before = 0, labels = 0;
    for (const Sequence& one : group) {
      own = std::max(own, one.length - one.before);
      past = std::max(past, kContextTokens + one.before);
      tokens_before += contexts() * (kContextTokens + one.before);
      labels += contexts() * one.targets;
    }
    const auto requests = std::ssize(group);
    const int64_t sequences = requests * (contexts() + 1);
    const int64_t pairs = sequences * own * (past + own);
    const int64_t attention = w_ * sequences * (own + 2 * (past + own)) * model_.queries +
                              model_.heads * pairs * (kWide + (w_ == kWide ? 0 : w_));
    const int64_t block = model_.norms * rms_norm_saved_bytes(rows, model_.hidden, dtype_, device(),
                                                              model_.norms_add_one) +
                          swiglu_saved_bytes(rows, model_.inner, dtype_, device()) + attention;
    const int64_t above = model_.layers - matrices_.back().layer;
    const int64_t keys = w_ * tokens_before * 2 * model_.keys * above;
    const int64_t working = w_ * rows * 3 * model_.inner;
    // The log-probabilities of essence prompts at first and now, as logits and as probabilities.
    const int64_t essence = 5 * kWide * requests * model_.vocabulary;
    return above * block + keys + working + essence + chunk_bytes(labels);
  }

  at::Device device() const { return inputs_.place.device; }

  int64_t chunk_bytes(int64_t labels) const {
    return linear_cross_entropy_chunk_bytes(labels, model_.hidden, model_.vocabulary, dtype_,
                                            device(), model_.caps_logits);
  }

  /// Rows of the largest pack, and what the blocks from the lowest edited one up keep of them.
  int64_t pass_bytes(const std::vector<Sequence>& batch, size_t most) const {
    int64_t rows = 0, labels = 0, longest = 0;
    for (size_t i = 0; i < std::min(most, batch.size()); ++i) {
      rows += batch[i].length;
      labels += batch[i].targets;
      longest = std::max(longest, batch[i].length);
    }
    rows = std::min(rows, std::max(longest, work_.editor.max_tokens_per_batch));
    dist::EngineOptions options;
    options.compute_dtype = dtype_;
    options.device = device();
    const dist::PackShape pack{.tokens = rows,
                               .labels = labels,
                               .pairs = rows * longest,
                               .masked_pairs = rows * longest,
                               .path_queries = rows,
                               .path_keys = rows};
    // Products keep no input: their weights have no gradient.
    const int64_t products = w_ * rows * (model_.hidden + model_.queries + model_.inner);
    const int64_t block = dist::block_kept_bytes(model_, options, pack) - products;
    int64_t lowest = model_.layers;
    for (const Matrix& matrix : matrices_) lowest = std::min(lowest, matrix.layer);
    const int64_t working = w_ * rows * 3 * model_.inner;
    return (model_.layers - lowest) * block + working + chunk_bytes(labels);
  }

  /// What is trained has its value, gradients of a pass and of a batch, two moments.
  int64_t tuning_bytes(const std::vector<Sequence>& batch) const {
    const bool is_lora = kind_ == EditorKind::kLora;
    int64_t trained = 0;
    for (const Matrix& matrix : matrices_)
      trained += is_lora ? settings_.lora_r * (matrix.rows + matrix.columns) : matrix.numel();
    const int64_t copies = settings_.norm_limit > 0.0 && !is_lora ? 6 : 5;
    const auto most = static_cast<size_t>(std::max<int64_t>(1, settings_.batch_size));
    return (copies * kWide + (w_ == kWide ? 0 : w_)) * trained + pass_bytes(batch, most);
  }

  /// One request in all contexts; the trained matrix has gradients of a pass and of all, and a
  /// step.
  int64_t side_bytes(const std::vector<Sequence>& batch) const {
    int64_t most = 0;
    for (Sequence one : batch) {
      one.length += kContextTokens;
      const std::vector<Sequence> all(static_cast<size_t>(contexts()), one);
      most = std::max(most, pass_bytes(all, all.size()));
    }
    return most + matrices_.front().numel() * (4 * kWide + (w_ == kWide ? 0 : w_));
  }

  /// Rows of inputs and gradients in fp32, and a system of the width of a matrix.
  int64_t ultra_bytes(const std::vector<Sequence>& batch) const {
    int64_t rows = 0, held = 0, widest = 0;
    for (const Sequence& one : batch) rows += one.targets;
    for (const Matrix& matrix : matrices_) {
      held += kWide * rows * (matrix.rows + matrix.columns);
      widest = std::max(widest, 3 * square(matrix) + (3 * kDouble + kWide) * matrix.numel());
    }
    return held + std::max(widest, pass_bytes(batch, batch.size()));
  }

  const EditingWork& work_;
  EditorKind kind_;
  const EditorEntry& entry_;
  const SurveyInputs& inputs_;
  const dist::ModelShape& model_;
  at::ScalarType dtype_;
  int64_t w_;
  EditorSettings settings_;
  std::vector<Matrix> matrices_;
};

/// The requests as sequences, in the batches that they are written in.
std::vector<std::vector<Sequence>> batches_of(const EditingWork& work, const EditableModel& model) {
  const bool needs_subject = entry_of(kEditors, work.kind).needs_subject;
  std::vector<std::vector<Sequence>> batches;
  size_t tokenized = 0;
  for (const std::vector<EditRequest>& requests : work.batches) {
    std::vector<Sequence> batch;
    for (const EditRequest& request : requests) {
      if (tokenized == kMostRequests) break;
      if (why_unwritable(model, request, needs_subject)) continue;
      const RequestTokens tokens = request_tokens(model, request, kPromptPlace, needs_subject);
      Sequence sequence{.length = std::ssize(tokens.ids),
                        .before = needs_subject ? tokens.subject_end : tokens.first_prediction,
                        .targets = std::ssize(tokens.target_ids)};
      if (needs_subject) sequence.essence = 1;
      batch.push_back(sequence);
      ++tokenized;
    }
    if (!batch.empty()) batches.push_back(std::move(batch));
    if (tokenized == kMostRequests) break;
  }
  return batches;
}

}  // namespace

EditingMemory editing_memory(const EditingWork& work, const SurveyInputs& inputs,
                             const dist::ModelShape& model, at::ScalarType dtype) {
  const Decoder decoder(inputs.model.config);
  const ChatTemplate chat = ChatTemplate::select(
      work.editor.chat_template, own_template(inputs.model, inputs.recipe.model.chat_date));
  const bool is_plain = chat.format() == ChatTemplate::Format::kPlain;
  const std::vector<int64_t>& ends = inputs.model.config.eos_token_id;
  const EditableModel edited{.decoder = decoder,
                             .tokenizer = inputs.model.tokenizer,
                             .chat_template = is_plain ? nullptr : &chat,
                             .weights = {},
                             .end_id = ends.empty() ? std::optional<int64_t>() : ends.front()};
  return Editing(work, inputs, decoder, model, dtype).of(batches_of(work, edited));
}

dist::WeightsHeld weights_held(const Recipe& recipe) {
  bool adapts = !recipe.model.adapter.empty();
  for (const StagePtr& stage : recipe.stages) {
    if (!stage->changes_model()) continue;
    if (stage->adapter() == nullptr) return dist::WeightsHeld::kMasters;
    adapts = true;
  }
  return adapts ? dist::WeightsHeld::kAdapted : dist::WeightsHeld::kMasters;
}

}  // namespace xkde::recipe
