#ifndef XKDE_DISTRIBUTED_PLANNER_MEMORY_MODEL_H_
#define XKDE_DISTRIBUTED_PLANNER_MEMORY_MODEL_H_

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/decoder.h"
#include "core/model/families/lora_options.h"
#include "core/optim/optimizer_kind.h"
#include "distributed/sharding/engine_options.h"
#include "distributed/sharding/frozen_weights.h"

namespace xkde::dist {

/// The sizes of a decoder that its cost depends on.
struct ModelShape {
  int64_t layers = 0;
  int64_t hidden = 0;          ///< D
  int64_t inner = 0;           ///< F
  int64_t queries = 0;         ///< width of all query heads, H E
  int64_t keys = 0;            ///< width of all key heads, K E
  int64_t heads = 0;           ///< H
  int64_t norms = 2;           ///< of D, in a block
  bool norms_heads = false;    ///< queries and keys have a norm of each head
  bool norms_add_one = false;  ///< Arithmetic::norms_add_one
  double score_cap = 0.0;      ///< AttentionShape::softcap
  bool caps_logits = false;
  int64_t vocabulary = 0;
  std::vector<int64_t> unit_numels;  ///< parameters of the embedding, each block, the head
  int64_t block_multiply_adds = 0;   ///< of one token in the linear layers of all blocks
  /// Of an adapter, where one is trained and the weights are frozen: its matrices in each block,
  /// and the width of all first products of a block. Empty: all weights are trained.
  std::vector<int64_t> adapter_numels = {};
  int64_t adapter_width = 0;
  bool adapter_drops = false;  ///< it has dropout
  /// Words, of 8 bytes, of each unit where frozen weights are held in blocks. Empty: they are not.
  std::vector<int64_t> held_words = {};

  int64_t parameters() const;
  bool is_frozen() const noexcept { return !adapter_numels.empty(); }
  /// What is trained, as a model of its own: itself, or the adapter in the place of each block and
  /// nothing in that of embedding and head.
  ModelShape trained() const;
};
/// `lora`: the adapter that is trained; null: all weights are. Throws as lora_blocks() does.
ModelShape shape_of(const Decoder& decoder, const LoraOptions* lora = nullptr);
/// The frozen weights of `shape` are held in blocks. `dtype`: of what has none.
void hold_in_blocks(ModelShape& shape, const Decoder& decoder, c10::ScalarType dtype,
                    const BlockFormatOf& format_of);

/// The rows of one forward pass, and the pairs of a query and a key that its attention computes.
struct PackShape {
  int64_t tokens = 0;
  int64_t labels = 0;
  int64_t pairs = 0;
  int64_t masked_pairs = 0;  ///< AttentionCounts::masked_pairs
  /// On a CPU, where attention keeps a matrix of probabilities for each path of a token tree: slots
  /// of queries and keys, padding included; 0 where it keeps none.
  int64_t path_queries = 0;
  int64_t path_keys = 0;
};
/// What `batch` takes on a device of `type`. Needs no such device.
PackShape shape_of(const PackedBatch& batch, c10::DeviceType type);

/// Bytes of one rank at the moment of a step that needs most, by what holds them. On a GPU those of
/// the device.
struct MemoryByKind {
  int64_t frozen = 0;         ///< shards of weights that are not trained
  int64_t masters = 0;        ///< fp32 shards of what is trained
  int64_t optimizer = 0;      ///< shards of both moments
  int64_t gradients = 0;      ///< fp32 shards of the sums, and whole units on their way there
  int64_t gathered = 0;       ///< whole units in the compute dtype
  int64_t activations = 0;    ///< of all blocks, and what the one at work needs beyond that
  int64_t head = 0;           ///< logits of one chunk and the gradients made from them
  int64_t checkpoint = 0;     ///< the copy of masters and moments that a background save writes
  int64_t communication = 0;  ///< shared windows or staging
  int64_t runtime = 0;        ///< of the libraries: code, packed matrices, allocator

  int64_t peak() const;
  /// The names of the members and their values, in this order.
  std::array<std::pair<std::string_view, int64_t>, 10> items() const;
};

/// What the machine and the run add to a rank's memory, whatever the model.
struct MemoryConstants {
  int64_t communication_bytes = 0;  ///< of each rank of a group that takes part
  int64_t runtime_bytes = 0;
  bool saves_async = false;  ///< from the memory that the model is in
  OptimizerKind optimizer = OptimizerKind::kAdamW;
};

/// Bytes that the forward pass of one block leaves behind for its backward pass, beside its input:
/// each operation says what it keeps, and each product keeps its input.
int64_t block_kept_bytes(const ModelShape& model, const EngineOptions& options,
                         const PackShape& pack);

/// Elements of one rank's flat state, as make_layout pads it.
int64_t state_numel(const ModelShape& model, int num_shards);

/// What `largest`, the pack that needs most, makes a rank hold. The terms are those of
/// docs/planner.md.
MemoryByKind predict_memory(const ModelShape& model, const EngineOptions& options, int ranks,
                            const PackShape& largest, const MemoryConstants& constants);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_PLANNER_MEMORY_MODEL_H_
