#include "distributed/planner/memory_model.h"

#include <algorithm>
#include <numeric>

#include <c10/core/ScalarTypeToTypeMeta.h>

#include "core/loss/token_loss.h"
#include "core/model/families/lora_blocks.h"
#include "core/nn/attention.h"
#include "core/nn/device_memory.h"
#include "core/nn/layers.h"
#include "distributed/sharding/model_layout.h"
#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {
namespace {

constexpr int64_t kWide = 4;  // bytes of fp32
constexpr int64_t kWord = 8;  // bytes of the words that blocks are held in

int64_t bytes_of(c10::ScalarType type) { return static_cast<int64_t>(c10::elementSize(type)); }

int64_t padded(int64_t numel, int shards) { return shard_numel_of(numel, shards) * shards; }

int64_t largest_block(const ModelShape& model, int shards) {
  int64_t largest = 0;
  for (size_t unit = 1; unit + 1 < model.unit_numels.size(); ++unit) {
    largest = std::max(largest, padded(model.unit_numels[unit], shards));
  }
  return largest;
}

int64_t ends(const ModelShape& model, int shards) {
  return padded(model.unit_numels.front(), shards) + padded(model.unit_numels.back(), shards);
}

int64_t gradient_bytes(const ModelShape& model, const EngineOptions& options, int shards) {
  const int64_t own = kWide * state_numel(model, shards);
  if (shards == 1) return own;
  const int64_t reduced = bytes_of(options.grad_reduce_dtype);
  const int64_t copy = reduced == kWide ? 0 : reduced * padded(model.unit_numels.front(), shards);
  if (options.policy().reduce_when == ReduceWhen::kLastPack) {
    return own + kWide * state_numel(model, shards) * shards + copy;
  }
  const int64_t buffers = options.device.is_cuda() ? 2 : 1;
  return own + kWide * ends(model, shards) +
         std::max(copy, buffers * reduced * largest_block(model, shards));
}

/// Of units that are held in blocks: as they are gathered, and decoded.
int64_t held_gathered_bytes(const ModelShape& model, const EngineOptions& options, int shards) {
  const int64_t decoded =
      bytes_of(options.compute_dtype) * (ends(model, shards) + largest_block(model, shards));
  if (shards == 1) return decoded;
  ModelShape words = model;
  words.unit_numels = model.held_words;
  const int64_t blocks = std::min<int64_t>(1 + options.prefetch, model.layers);
  const int64_t held = options.weights_stay(shards)
                           ? state_numel(words, shards) * shards
                           : ends(words, shards) + blocks * largest_block(words, shards);
  return decoded + kWord * held;
}

int64_t gathered_bytes(const ModelShape& model, const EngineOptions& options, int shards) {
  if (!model.held_words.empty()) return held_gathered_bytes(model, options, shards);
  const bool masters_serve =
      model.is_frozen() || (options.compute_dtype == c10::kFloat &&
                            !(options.offload_optimizer && options.device.is_cuda()));
  if (shards == 1 && masters_serve) return 0;
  const bool frees = !options.weights_stay(shards);
  const int64_t blocks = std::min<int64_t>(1 + options.prefetch, model.layers);
  const int64_t elements = frees ? ends(model, shards) + blocks * largest_block(model, shards)
                                 : state_numel(model, shards) * shards;
  return bytes_of(options.compute_dtype) * elements;
}

/// Bytes of one block's passes: what a forward pass leaves behind beside its input, and the most
/// that exists in the backward pass, gradients of the weights included.
struct BlockBytes {
  int64_t kept = 0;
  int64_t backward = 0;
};

int64_t attention_bytes(const ModelShape& m, const EngineOptions& options, const PackShape& pack) {
  const int64_t head_dim = m.queries / m.heads;
  return packed_attention_saved_bytes({.rows = pack.tokens,
                                       .pairs = pack.pairs,
                                       .masked_pairs = pack.masked_pairs,
                                       .path_queries = pack.path_queries,
                                       .path_keys = pack.path_keys},
                                      {.num_heads = m.heads,
                                       .num_kv_heads = m.keys / head_dim,
                                       .head_dim = head_dim,
                                       .softcap = m.score_cap},
                                      options.compute_dtype, options.device.type());
}

/// As block_bytes(), where no weight has a gradient. The gradients of the adapter are small beside
/// those of activations.
BlockBytes frozen_block_bytes(const ModelShape& m, const EngineOptions& options,
                              const PackShape& pack) {
  const int64_t w = bytes_of(options.compute_dtype);
  const int64_t t = pack.tokens;
  BlockBytes bytes;
  // Dropout keeps the inputs that are left and their factors, of all four products.
  const int64_t dropped = m.adapter_drops ? 2 * (2 * m.hidden + m.queries + m.inner) : 0;
  bytes.kept = block_kept_bytes(m, options, pack) + w * t * (m.adapter_width + dropped);
  const int64_t in_mlp = bytes.kept + w * t * (2 * m.hidden + 2 * m.inner);
  const int64_t in_attention = w * t * m.hidden + 2 * attention_bytes(m, options, pack) +
                               w * t * (2 * m.hidden + 2 * m.queries + 2 * m.keys);
  bytes.backward = std::max(in_mlp, options.device.is_cpu() ? in_attention : 0);
  return bytes;
}

BlockBytes block_bytes(const ModelShape& m, const EngineOptions& options, const PackShape& pack) {
  if (m.is_frozen()) return frozen_block_bytes(m, options, pack);
  const int64_t w = bytes_of(options.compute_dtype);
  const int64_t t = pack.tokens;
  const int64_t d = m.hidden;
  const int64_t f = m.inner;
  BlockBytes bytes;
  bytes.kept = block_kept_bytes(m, options, pack);
  const int64_t at_end = w * (largest_block(m, 1) + 2 * t * d);
  // In the activation of the MLP: gradients of the block's output, of both halves, of one matrix.
  if (!options.device.is_cpu()) {
    bytes.backward = std::max(bytes.kept + w * (t * (2 * d + 2 * f) + d * f), at_end);
    return bytes;
  }
  const int64_t in_mlp = bytes.kept + w * (t * (d + 2 * f) + d * f);
  // In attention: those of its output and all its inputs, keys' sums in fp32, four matrices.
  const int64_t first_norm = w * t * d + 2 * kWide * t;
  const int64_t in_attention = first_norm + 2 * attention_bytes(m, options, pack) +
                               w * t * (2 * d + 2 * m.queries + 2 * m.keys) +
                               2 * kWide * t * m.keys + w * d * (3 * f + m.queries);
  bytes.backward = std::max({in_mlp, in_attention, at_end});
  return bytes;
}

int64_t head_bytes(const ModelShape& model, const EngineOptions& options, const PackShape& pack) {
  const int64_t w = bytes_of(options.compute_dtype);
  return linear_cross_entropy_chunk_bytes(pack.labels, model.hidden, model.vocabulary,
                                          options.compute_dtype, options.device,
                                          model.caps_logits) +
         pack.labels * model.hidden * (4 * w + kWide);
}

/// Shards of weights that are not trained.
int64_t frozen_bytes(const ModelShape& model, int shards, int64_t element_bytes) {
  if (!model.is_frozen()) return 0;
  if (model.held_words.empty()) return element_bytes * state_numel(model, shards);
  int64_t words = 0;
  for (const int64_t unit : model.held_words) words += shard_numel_of(unit, shards);
  return kWord * words;
}

}  // namespace

int64_t block_kept_bytes(const ModelShape& m, const EngineOptions& options, const PackShape& pack) {
  const int64_t t = pack.tokens;
  const c10::ScalarType dtype = options.compute_dtype;
  const int64_t rows = bytes_of(dtype) * t * m.hidden;
  const auto norm = [&](int64_t count, int64_t width) {
    return rms_norm_saved_bytes(count, width, dtype, options.device, m.norms_add_one);
  };
  const int64_t head_dim = m.queries / m.heads;
  const int64_t of_heads = m.norms_heads ? norm(t * (m.queries + m.keys) / head_dim, head_dim) : 0;
  const int64_t norms = m.norms * norm(t, m.hidden) + of_heads;
  const int64_t products = 2 * rows + bytes_of(dtype) * t * (m.queries + m.inner);
  const int64_t activation = swiglu_saved_bytes(t, m.inner, dtype, options.device);
  // The first norm's input is the block's, which is counted by itself.
  return norms + products + attention_bytes(m, options, pack) + activation - rows;
}

int64_t ModelShape::parameters() const {
  return std::accumulate(unit_numels.begin(), unit_numels.end(), int64_t{0});
}

ModelShape ModelShape::trained() const {
  if (!is_frozen()) return *this;
  ModelShape adapter = *this;
  std::ranges::copy(adapter_numels, adapter.unit_numels.begin() + 1);
  adapter.unit_numels.front() = 0;
  adapter.unit_numels.back() = 0;
  return adapter;
}

ModelShape shape_of(const Decoder& decoder, const LoraOptions* lora) {
  const ModelConfig& config = decoder.config();
  ModelShape shape{.layers = config.num_hidden_layers,
                   .hidden = extent_of(Extent::kHidden, config),
                   .inner = extent_of(Extent::kInner, config),
                   .queries = extent_of(Extent::kQueries, config),
                   .keys = extent_of(Extent::kKeys, config),
                   .heads = config.num_attention_heads,
                   .norms = 0,
                   .norms_add_one = config.family->arithmetic.norms_add_one,
                   .score_cap = config.attn_logit_softcapping,
                   .caps_logits = config.final_logit_softcapping > 0.0,
                   .vocabulary = extent_of(Extent::kVocab, config),
                   .unit_numels = {},
                   .block_multiply_adds = decoder.block_parameters()};
  for (const DecoderUnit& unit : decoder.units()) shape.unit_numels.push_back(unit.numel());
  for (const TensorSpec& spec : config.family->block) {
    if (std::ranges::count(kNormsOfRows, spec.role) > 0) ++shape.norms;
    if (spec.role == TensorRole::kQueryNorm) shape.norms_heads = true;
  }
  if (lora == nullptr) return shape;
  for (const LoraBlock& block : lora_blocks(config, *lora)) {
    int64_t numel = 0;
    shape.adapter_width = 0;
    for (const LoraTensor& tensor : block.tensors) {
      numel += tensor.shape[0] * tensor.shape[1];
      shape.adapter_width += tensor.is_first ? tensor.shape[0] : 0;
    }
    shape.adapter_numels.push_back(numel);
  }
  shape.adapter_drops = lora->dropout > 0.0;
  return shape;
}

void hold_in_blocks(ModelShape& shape, const Decoder& decoder, c10::ScalarType dtype,
                    const BlockFormatOf& format_of) {
  for (const UnitLayout& unit : layout_of(decoder, 1).units)
    shape.held_words.push_back(held_words(unit, bytes_of(dtype), format_of));
}

PackShape shape_of(const PackedBatch& batch, c10::DeviceType type) {
  const AttentionCounts counts = count_attention(batch.segments, type);
  return {.tokens = batch.num_tokens(),
          .labels = batch.label_rows.size(0),
          .pairs = counts.pairs,
          .masked_pairs = counts.masked_pairs,
          .path_queries = counts.path_queries,
          .path_keys = counts.path_keys};
}

std::array<std::pair<std::string_view, int64_t>, 10> MemoryByKind::items() const {
  return {{{"frozen weights", frozen},
           {"masters", masters},
           {"optimizer", optimizer},
           {"gradients", gradients},
           {"gathered units", gathered},
           {"activations", activations},
           {"head", head},
           {"checkpoint copy", checkpoint},
           {"communication", communication},
           {"runtime", runtime}}};
}

int64_t MemoryByKind::peak() const {
  int64_t total = 0;
  for (const auto& [name, bytes] : items()) total += bytes;
  return total;
}

int64_t state_numel(const ModelShape& model, int num_shards) {
  int64_t total = 0;
  for (const int64_t numel : model.unit_numels) total += shard_numel_of(numel, num_shards);
  return total;
}

MemoryByKind predict_memory(const ModelShape& model, const EngineOptions& options, int ranks,
                            const PackShape& largest, const MemoryConstants& constants) {
  const int shards = options.num_shards(ranks);
  const int64_t w = bytes_of(options.compute_dtype);
  const ModelShape trained = model.trained();
  const int64_t state = kWide * state_numel(trained, shards);
  const bool is_away = options.offload_optimizer && options.device.is_cuda();
  MemoryByKind bytes;
  bytes.frozen = frozen_bytes(model, shards, w);
  bytes.masters = is_away ? 0 : state;
  const OptimizerEntry& optimizer = entry_of(constants.optimizer);
  const int64_t moments = state / kWide * optimizer.moment_bytes / optimizer.block;
  bytes.optimizer = is_away ? 0 : moments;
  bytes.gradients = gradient_bytes(trained, options, shards);
  bytes.gathered = gathered_bytes(model, options, shards);
  // The copy is made in host memory.
  bytes.checkpoint = constants.saves_async && options.device.is_cpu() ? state + moments : 0;
  bytes.communication = ranks > 1 ? constants.communication_bytes : 0;
  bytes.runtime = constants.runtime_bytes;
  // Peaks over blocks were measured with a third of the code of products.
  if (!model.held_words.empty() && options.device.is_cpu() && w != kWide)
    bytes.runtime -= 2 * cached_product_bytes(kCachedProducts) / 3;

  const int64_t input = w * model.hidden * largest.tokens;
  const BlockBytes block = block_bytes(model, options, largest);
  const bool recomputes = options.recompute == Recompute::kBlock;
  const int64_t others = model.layers * input + (recomputes ? 0 : (model.layers - 1) * block.kept);
  // The head is done when the last block's backward pass begins: only the larger one counts.
  const int64_t head = head_bytes(model, options, largest);
  const int64_t in_head = (recomputes ? 0 : block.kept) + input + head;
  if (block.backward > in_head) {
    bytes.activations = others + block.backward;
  } else {
    bytes.head = head;
    bytes.activations = others + in_head - head;
  }
  return bytes;
}

}  // namespace xkde::dist
