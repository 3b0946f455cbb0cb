#include "distributed/planner/memory_model.h"

#include <algorithm>
#include <numeric>

#include <c10/core/ScalarTypeToTypeMeta.h>

#include "core/loss/token_loss.h"
#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {
namespace {

constexpr int64_t kWide = 4;  // bytes of fp32

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
  if (options.shard == ShardMode::kOptimizer) {
    return own + kWide * state_numel(model, shards) * shards + copy;
  }
  const int64_t buffers = options.device.is_cuda() ? 2 : 1;
  return own + kWide * ends(model, shards) +
         std::max(copy, buffers * reduced * largest_block(model, shards));
}

int64_t gathered_bytes(const ModelShape& model, const EngineOptions& options, int shards) {
  const bool masters_serve = options.compute_dtype == c10::kFloat &&
                             !(options.offload_optimizer && options.device.is_cuda());
  if (shards == 1 && masters_serve) return 0;
  const bool frees = options.shard == ShardMode::kFull && shards > 1;
  const int64_t blocks = std::min<int64_t>(1 + options.prefetch, model.layers);
  const int64_t elements = frees ? ends(model, shards) + blocks * largest_block(model, shards)
                                 : state_numel(model, shards) * shards;
  return bytes_of(options.compute_dtype) * elements;
}

/// Bytes of one block's passes: what a forward pass leaves behind beside its input, by part, and
/// the most that exists in the backward pass, gradients of the weights included.
struct BlockBytes {
  int64_t kept = 0;
  int64_t backward = 0;
};

/// The fused loops of a CPU keep what they can't compute again from their own inputs: rows before
/// and after both norms, the attended rows, the halves of the MLP and their product, and for each
/// path queries, keys, values and probabilities.
BlockBytes block_on_cpu(const ModelShape& m, int64_t w, const PackShape& pack) {
  const int64_t t = pack.tokens;
  const int64_t d = m.hidden;
  const int64_t f = m.inner;
  const int64_t scales = 2 * kWide * t;
  const int64_t paths =
      w * (pack.path_queries * m.queries + 2 * pack.path_keys * m.keys + pack.pairs * m.heads);
  BlockBytes bytes;
  bytes.kept = w * t * (3 * d + m.queries + 3 * f) + scales + paths;
  // In the activation of the MLP: gradients of the block's output, of both halves, of one matrix.
  const int64_t in_mlp = bytes.kept + w * (t * (d + 2 * f) + d * f);
  // In attention: those of its output and all its inputs, keys' sums in fp32, four matrices.
  const int64_t in_attention = w * t * (d + scales / t / w) + 2 * paths +
                               w * t * (2 * d + 2 * m.queries + 2 * m.keys) +
                               2 * kWide * t * m.keys + w * d * (3 * f + m.queries);
  const int64_t at_end = w * (largest_block(m, 1) + 2 * t * d);
  bytes.backward = std::max({in_mlp, in_attention, at_end});
  return bytes;
}

/// LibTorch's operations keep both factors of every product; flash attention its inputs, its output
/// and a log-sum-exp.
BlockBytes block_on_gpu(const ModelShape& m, int64_t w, const PackShape& pack) {
  const int64_t t = pack.tokens;
  const int64_t d = m.hidden;
  const int64_t f = m.inner;
  // A norm keeps the row in fp32 where it is not, the normed row and its product with the weight.
  const int64_t norms = 2 * (2 * w + (w == kWide ? 0 : kWide)) * d + 2 * kWide + w * d;
  const int64_t attention =
      w * (m.queries + 2 * m.keys + m.queries + m.keys + m.queries) + kWide * m.heads;
  const int64_t mlp = w * 4 * f;  // gate and up, silu, product
  BlockBytes bytes;
  bytes.kept = t * (norms + attention + mlp);
  const int64_t in_mlp = bytes.kept + w * (t * (2 * d + 2 * f) + d * f);
  const int64_t at_end = w * (largest_block(m, 1) + 2 * t * d);
  bytes.backward = std::max(in_mlp, at_end);
  return bytes;
}

int64_t head_bytes(const ModelShape& model, int64_t w, const PackShape& pack, c10::Device device) {
  const int64_t rows = std::min(default_chunk_rows(device), pack.labels);
  const int64_t logits = rows * model.vocabulary;
  // log_softmax: logits in the compute dtype, in fp32, and its result.
  int64_t chunk = ((w == kWide ? 0 : w) + 2 * kWide) * logits;
  // On a GPU the gradient of the matrix is a product of its own before it is added in fp32.
  if (device.is_cuda()) {
    chunk = std::max(chunk, (w + kWide) * logits + w * model.vocabulary * model.hidden);
  }
  return chunk + pack.labels * model.hidden * (4 * w + kWide);
}

}  // namespace

int64_t ModelShape::parameters() const {
  return std::accumulate(unit_numels.begin(), unit_numels.end(), int64_t{0});
}

ModelShape shape_of(const Decoder& decoder) {
  const ModelConfig& config = decoder.config();
  ModelShape shape{.layers = config.num_hidden_layers,
                   .hidden = extent_of(Extent::kHidden, config),
                   .inner = extent_of(Extent::kInner, config),
                   .queries = extent_of(Extent::kQueries, config),
                   .keys = extent_of(Extent::kKeys, config),
                   .heads = config.num_attention_heads,
                   .vocabulary = extent_of(Extent::kVocab, config),
                   .unit_numels = {},
                   .block_multiply_adds = decoder.block_parameters()};
  for (const DecoderUnit& unit : decoder.units()) shape.unit_numels.push_back(unit.numel());
  return shape;
}

PackShape shape_of(const PackedBatch& batch, c10::DeviceType type) {
  PackShape shape{.tokens = batch.num_tokens(), .labels = batch.label_rows.size(0)};
  const std::vector<TreeNode> nodes = nodes_of(batch.segments);
  const auto paths = type == c10::kCPU ? make_path_plan(nodes) : nullptr;
  if (!paths) {
    shape.pairs = visible_pairs(nodes);
    return shape;
  }
  for (const PathGroup& group : paths->groups) {
    shape.pairs += group.paths * group.queries * group.keys;
    shape.path_queries += group.paths * group.queries;
    shape.path_keys += group.paths * group.keys;
  }
  return shape;
}

std::array<std::pair<std::string_view, int64_t>, 9> MemoryByKind::items() const {
  return {{{"masters", masters},
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
  const int64_t state = kWide * state_numel(model, shards);
  const bool is_away = options.offload_optimizer && options.device.is_cuda();
  MemoryByKind bytes;
  bytes.masters = is_away ? 0 : state;
  bytes.optimizer = is_away ? 0 : 2 * state;
  bytes.gradients = gradient_bytes(model, options, shards);
  bytes.gathered = gathered_bytes(model, options, shards);
  // The copy is made in host memory.
  bytes.checkpoint = constants.saves_async && options.device.is_cpu() ? 3 * state : 0;
  bytes.communication = ranks > 1 ? constants.communication_bytes : 0;
  bytes.runtime = constants.runtime_bytes;

  const int64_t input = w * model.hidden * largest.tokens;
  const BlockBytes block =
      options.device.is_cpu() ? block_on_cpu(model, w, largest) : block_on_gpu(model, w, largest);
  const bool recomputes = options.recompute == Recompute::kBlock;
  const int64_t others = model.layers * input + (recomputes ? 0 : (model.layers - 1) * block.kept);
  // The head is done when the last block's backward pass begins: only the larger one counts.
  const int64_t in_head =
      (recomputes ? 0 : block.kept) + input + head_bytes(model, w, largest, options.device);
  if (block.backward > in_head) {
    bytes.activations = others + block.backward;
  } else {
    bytes.head = head_bytes(model, w, largest, options.device);
    bytes.activations = others + in_head - bytes.head;
  }
  return bytes;
}

}  // namespace xkde::dist
