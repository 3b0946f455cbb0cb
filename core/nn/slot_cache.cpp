#include "core/nn/slot_cache.h"

#include <cmath>
#include <map>
#include <vector>

#include <ATen/ATen.h>

#include "core/nn/device_copy.h"
#include "core/nn/layers.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

/// Keys and values [slots, K, capacity, E] of each layer, prompt and answer behind each other.
class SlotCache final : public KvCache {
 public:
  SlotCache(const KvCacheShape& shape, at::ScalarType dtype, at::Device device)
      : heads_(shape.heads),
        layers_(shape),
        capacity_(shape.prompt_tokens + shape.answer_tokens),
        spare_slot_(shape.num_slots),
        device_(device) {
    const auto options = at::TensorOptions().dtype(dtype).device(device);
    // One slot more takes what rows without a slot write.
    const std::vector<int64_t> size = {shape.num_slots + 1, heads_.num_kv_heads, capacity_,
                                       heads_.head_dim};
    for (int64_t layer = 0; layer < shape.num_layers; ++layer) {
      keys_.push_back(at::zeros(size, options));
      values_.push_back(at::zeros(size, options));
    }
  }

  void put_prompts(int64_t layer, const at::Tensor& qkv, const RotaryTable& rotary,
                   std::span<const CachedPrompt> prompts) override {
    const Parts parts = split(qkv, rotary);
    std::vector<int64_t> slots, places, rows;
    for (const CachedPrompt& prompt : prompts) {
      for (const int64_t slot : prompt.answer_slots) {
        for (size_t token = 0; token < prompt.rows.size(); ++token) {
          slots.push_back(slot);
          places.push_back(static_cast<int64_t>(token));
          rows.push_back(prompt.rows[token]);
        }
      }
    }
    const at::Tensor from = to_device(rows, qkv.device());
    put(layer, to_device(slots, qkv.device()), to_device(places, qkv.device()),
        parts.k.index_select(0, from), parts.v.index_select(0, from));
  }

  void begin_step(std::span<const DecodeRow> rows) override {
    std::vector<int64_t> slots, places;
    for (const DecodeRow& row : rows) {
      const bool is_filler = row.answer_slot == kNoSlot;
      slots.push_back(is_filler ? spare_slot_ : row.answer_slot);
      places.push_back(is_filler ? 0 : row.prompt_tokens + row.answer_tokens);
    }
    step_ = &steps_[rows.size()];
    if (!step_->slots.defined()) {
      step_->slots = to_device(slots, device_);
      step_->places = to_device(places, device_);
    } else {
      step_->slots.copy_(to_device(slots, device_));
      step_->places.copy_(to_device(places, device_));
    }
  }

  at::Tensor attend(int64_t layer, const at::Tensor& qkv, const RotaryTable& rotary) override {
    const at::Tensor& slots = step_->slots;
    if (layer == 0) step_->hidden.clear();
    const at::Tensor& hidden = hidden_places(layers_.window(layer));
    const Parts parts = split(qkv, rotary);
    put(layer, slots, step_->places, parts.k, parts.v);
    const int64_t repeats = heads_.num_heads / heads_.num_kv_heads;
    const at::Tensor keys = keys_[static_cast<size_t>(layer)].index_select(0, slots);
    const at::Tensor values = values_[static_cast<size_t>(layer)].index_select(0, slots);
    // Queries of one key head are the rows of one product: no key is repeated.
    const at::Tensor q =
        parts.q.view({parts.q.size(0), heads_.num_kv_heads, repeats, heads_.head_dim});
    const double scale = 1.0 / std::sqrt(heads_.score_divisor_squared());
    const at::Tensor scores =
        soft_capped(at::matmul(widened(q), widened(keys).transpose(2, 3)).to(at::kFloat) * scale,
                    heads_.softcap);
    const at::Tensor weights = at::softmax(scores.masked_fill(hidden, -INFINITY), -1);
    const at::Tensor out = weighted_values(weights, values);
    return out.reshape({parts.q.size(0), heads_.num_heads * heads_.head_dim});
  }

 private:
  struct Parts {
    at::Tensor q, k, v;  // [T, heads, E], rotated
  };

  /// The places that the step's rows do not see, the same in all layers of one window.
  const at::Tensor& hidden_places(int64_t window) {
    at::Tensor& hidden = step_->hidden[window];
    if (!hidden.defined()) {
      const at::Tensor all = at::arange(capacity_, step_->slots.options()).unsqueeze(0);
      const at::Tensor rows = step_->places.unsqueeze(1);
      hidden = all.gt(rows);
      if (window > 0) hidden = hidden.logical_or(all.le(rows - window));
      hidden = hidden.view({-1, 1, 1, capacity_});
    }
    return hidden;
  }

  Parts split(const at::Tensor& qkv, const RotaryTable& rotary) const {
    const int64_t queries = heads_.num_heads;
    const int64_t keys = heads_.num_kv_heads;
    const at::Tensor heads = qkv.view({qkv.size(0), queries + 2 * keys, heads_.head_dim});
    const at::Tensor rotated = apply_rotary(heads.narrow(1, 0, queries + keys), rotary);
    return {rotated.narrow(1, 0, queries).contiguous(), rotated.narrow(1, queries, keys),
            heads.narrow(1, queries + keys, keys)};
  }

  void put(int64_t layer, const at::Tensor& slots, const at::Tensor& places, const at::Tensor& k,
           const at::Tensor& v) {
    const at::indexing::TensorIndex all = at::indexing::Slice();
    keys_[static_cast<size_t>(layer)].index_put_({slots, all, places}, k);
    values_[static_cast<size_t>(layer)].index_put_({slots, all, places}, v);
  }

  /// What steps of one number of rows read, always at the same places.
  struct Step {
    at::Tensor slots, places;              ///< int64 [M]
    std::map<int64_t, at::Tensor> hidden;  ///< by window: bool [M, 1, 1, capacity]
  };

  AttentionShape heads_;
  KvCacheShape layers_;
  int64_t capacity_;
  int64_t spare_slot_;
  at::Device device_;
  std::vector<at::Tensor> keys_, values_;
  std::map<size_t, Step> steps_;
  Step* step_ = nullptr;
};

}  // namespace

std::unique_ptr<KvCache> make_slot_cache(const KvCacheShape& shape, at::ScalarType dtype,
                                         at::Device device) {
  return std::make_unique<SlotCache>(shape, dtype, device);
}

}  // namespace xkde
