#ifndef XKDE_CORE_NN_KV_CACHE_H_
#define XKDE_CORE_NN_KV_CACHE_H_

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/nn/attention.h"
#include "core/nn/rope.h"

namespace xkde {

/// Prompts and answers live in numbered slots. An answer's sequence is its prompt's tokens, then
/// its own.
struct KvCacheShape {
  int64_t num_layers = 0;
  AttentionShape heads;
  /// Of each layer: the nearest tokens that a row sees, itself included; 0 or none said: all.
  std::vector<int64_t> windows = {};
  int64_t num_slots = 0;      ///< of answers; prompts have as many
  int64_t prompt_tokens = 0;  ///< of one prompt, at most
  int64_t answer_tokens = 0;  ///< of one answer, at most

  int64_t window(int64_t layer) const {
    return windows.empty() ? 0 : windows[static_cast<size_t>(layer)];
  }
};

/// A prompt that was computed: which row of the batch holds each of its tokens.
struct CachedPrompt {
  int64_t prompt_slot = 0;
  std::vector<int64_t> answer_slots;
  std::vector<int64_t> rows;
};

inline constexpr int64_t kNoSlot = -1;

/// A row of one decoding step: the next token of an answer. Rows of one prompt stand together.
struct DecodeRow {
  int64_t prompt_slot = 0;
  int64_t answer_slot = 0;
  int64_t prompt_tokens = 0;
  int64_t answer_tokens = 0;  ///< in the cache before this row
};

/// The keys and values of all layers that decoding reads again. A slot is free to be filled anew
/// once nothing asks for what it held.
class KvCache {
 public:
  virtual ~KvCache() = default;
  /// Keeps the keys and values of a layer's rows qkv [T, (H + 2K) E], of which the prompts name
  /// theirs.
  virtual void put_prompts(int64_t layer, const at::Tensor& qkv, const RotaryTable& rotary,
                           std::span<const CachedPrompt> prompts) = 0;
  /// The rows of the step that follows. A row that only fills a step up has kNoSlot as its slots.
  virtual void begin_step(std::span<const DecodeRow> rows) = 0;
  /// Adds each row's key and value to its answer, then lets the row attend to its whole sequence.
  /// qkv [M, (H + 2K) E] -> [M, H E], M as begin_step said.
  virtual at::Tensor attend(int64_t layer, const at::Tensor& qkv, const RotaryTable& rotary) = 0;
};

}  // namespace xkde

#endif  // XKDE_CORE_NN_KV_CACHE_H_
