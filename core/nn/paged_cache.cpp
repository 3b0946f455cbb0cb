#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/nn/cpu_kernels.h"
#include "core/nn/kv_cache.h"
#include "core/nn/page_kernels.h"

namespace xkde {
namespace {

using cpu::kPageTokens;

int64_t pages_of(int64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

struct PageShape {
  int64_t layers, key_heads, head_dim;
  int64_t half() const { return kPageTokens * head_dim; }  ///< keys or values of one head's page
  int64_t page() const { return layers * key_heads * 2 * half(); }
};

/// The pages of one slot: page by page, in each layer by layer, head by head, keys then values.
class Pages {
 public:
  /// Makes room, zeros: a page's tail is read, too.
  void reserve(const PageShape& shape, int64_t tokens) {
    const auto wanted = static_cast<size_t>(pages_of(tokens) * shape.page());
    if (data_.size() >= wanted) return;
    if (data_.capacity() < wanted) data_.reserve(std::max(wanted, 2 * data_.capacity()));
    data_.resize(wanted, 0.0F);
  }
  float* keys(const PageShape& shape, int64_t page, int64_t layer, int64_t head) {
    return data_.data() + page * shape.page() + (layer * shape.key_heads + head) * 2 * shape.half();
  }
  const float* keys(const PageShape& shape, int64_t page, int64_t layer, int64_t head) const {
    return const_cast<Pages*>(this)->keys(shape, page, layer, head);
  }

 private:
  std::vector<float> data_;
};

/// Rows of one prompt: neighbours in the step.
struct Group {
  int64_t begin = 0;
  int64_t end = 0;
};

class PagedCache final : public KvCache {
 public:
  explicit PagedCache(const KvCacheShape& shape)
      : heads_(shape.heads),
        shape_{shape.num_layers, shape.heads.num_kv_heads, shape.heads.head_dim},
        prompts_(static_cast<size_t>(shape.num_slots)),
        answers_(static_cast<size_t>(shape.num_slots)) {}

  void put_prompts(int64_t layer, const at::Tensor& qkv, const RotaryTable& rotary,
                   std::span<const CachedPrompt> prompts) override {
    if (qkv.scalar_type() == at::kFloat) {
      put<float>(layer, qkv, rotary, prompts);
    } else {
      put<c10::BFloat16>(layer, qkv, rotary, prompts);
    }
  }

  void begin_step(std::span<const DecodeRow> rows) override {
    rows_.assign(rows.begin(), rows.end());
  }

  at::Tensor attend(int64_t layer, const at::Tensor& qkv, const RotaryTable& rotary) override {
    if (qkv.scalar_type() == at::kFloat) return attend_to<float>(layer, qkv, rotary, rows_);
    return attend_to<c10::BFloat16>(layer, qkv, rotary, rows_);
  }

 private:
  int64_t row_width() const {
    return (heads_.num_heads + 2 * heads_.num_kv_heads) * heads_.head_dim;
  }

  /// Writes the key and value of row `row` as token `token` of `pages`.
  template <typename T>
  void put_row(Pages& pages, int64_t token, int64_t layer, const at::Tensor& qkv,
               const RotaryTable& rotary, int64_t row) const {
    const int64_t width = heads_.head_dim;
    const T* from = qkv.const_data_ptr<T>() + row * row_width() + heads_.num_heads * width;
    const T* cos = rotary.cos.const_data_ptr<T>() + row * width;
    const T* sin = rotary.sin.const_data_ptr<T>() + row * width;
    std::vector<T> rotated(static_cast<size_t>(width));
    const int64_t place = token % kPageTokens;
    for (int64_t head = 0; head < heads_.num_kv_heads; ++head) {
      cpu::rotate(from + head * width, cos, sin, rotated.data(), width, false);
      const T* value = from + (heads_.num_kv_heads + head) * width;
      float* keys = pages.keys(shape_, token / kPageTokens, layer, head);
      float* values = keys + shape_.half() + place * width;
      for (int64_t e = 0; e < width; ++e) {
        keys[e * kPageTokens + place] = static_cast<float>(rotated[static_cast<size_t>(e)]);
        values[e] = static_cast<float>(value[e]);
      }
    }
  }

  template <typename T>
  void put(int64_t layer, const at::Tensor& qkv, const RotaryTable& rotary,
           std::span<const CachedPrompt> prompts) {
    at::parallel_for(0, std::ssize(prompts), 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const CachedPrompt& prompt = prompts[static_cast<size_t>(p)];
        Pages& pages = prompts_[static_cast<size_t>(prompt.prompt_slot)];
        pages.reserve(shape_, std::ssize(prompt.rows));
        for (int64_t token = 0; token < std::ssize(prompt.rows); ++token) {
          put_row<T>(pages, token, layer, qkv, rotary, prompt.rows[static_cast<size_t>(token)]);
        }
      }
    });
  }

  template <typename T>
  at::Tensor attend_to(int64_t layer, const at::Tensor& qkv, const RotaryTable& rotary,
                       std::span<const DecodeRow> rows) {
    const auto count = std::ssize(rows);
    at::Tensor out = at::empty({count, heads_.num_heads * heads_.head_dim}, qkv.options());
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const DecodeRow& row = rows[static_cast<size_t>(i)];
        Pages& pages = answers_[static_cast<size_t>(row.answer_slot)];
        pages.reserve(shape_, row.answer_tokens + 1);
        put_row<T>(pages, row.answer_tokens, layer, qkv, rotary, i);
      }
    });
    std::vector<Group> groups;
    for (int64_t i = 0; i < count; ++i) {
      const bool same = i > 0 && rows[static_cast<size_t>(i)].prompt_slot ==
                                     rows[static_cast<size_t>(i - 1)].prompt_slot;
      if (!same) groups.push_back({i, i});
      groups.back().end = i + 1;
    }
    const int64_t tasks = std::ssize(groups) * heads_.num_kv_heads;
    at::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> queries, scores, sums;
      for (int64_t task = begin; task < end; ++task) {
        const Group& group = groups[static_cast<size_t>(task / heads_.num_kv_heads)];
        attend_group<T>(layer, task % heads_.num_kv_heads, qkv, rotary, rows, group, queries,
                        scores, sums, out);
      }
    });
    return out;
  }

  /// One key head's queries of all rows of a prompt.
  template <typename T>
  void attend_group(int64_t layer, int64_t head, const at::Tensor& qkv, const RotaryTable& rotary,
                    std::span<const DecodeRow> rows, const Group& group,
                    std::vector<float>& queries, std::vector<float>& scores,
                    std::vector<float>& sums, at::Tensor& out) const {
    const int64_t width = heads_.head_dim;
    const int64_t per_key = heads_.num_heads / heads_.num_kv_heads;
    const int64_t count = (group.end - group.begin) * per_key;
    const DecodeRow& first = rows[static_cast<size_t>(group.begin)];
    const int64_t prompt_width = pages_of(first.prompt_tokens) * kPageTokens;
    int64_t longest = 0;
    for (int64_t i = group.begin; i < group.end; ++i) {
      longest = std::max(longest, rows[static_cast<size_t>(i)].answer_tokens + 1);
    }
    const int64_t stride = prompt_width + pages_of(longest) * kPageTokens;
    queries.resize(static_cast<size_t>(count * width));
    scores.resize(static_cast<size_t>(count * stride));
    sums.assign(static_cast<size_t>(count * width), 0.0F);
    std::vector<T> rotated(static_cast<size_t>(width));
    for (int64_t i = group.begin; i < group.end; ++i) {
      for (int64_t g = 0; g < per_key; ++g) {
        const T* q = qkv.const_data_ptr<T>() + i * row_width() + (head * per_key + g) * width;
        cpu::rotate(q, rotary.cos.const_data_ptr<T>() + i * width,
                    rotary.sin.const_data_ptr<T>() + i * width, rotated.data(), width, false);
        float* to = queries.data() + ((i - group.begin) * per_key + g) * width;
        for (int64_t e = 0; e < width; ++e) {
          to[e] = static_cast<float>(rotated[static_cast<size_t>(e)]);
        }
      }
    }

    const float scale = 1.0F / std::sqrt(static_cast<float>(width));
    const Pages& prompt = prompts_[static_cast<size_t>(first.prompt_slot)];
    for (int64_t page = 0; page * kPageTokens < prompt_width; ++page) {
      cpu::page_scores(queries.data(), count, prompt.keys(shape_, page, layer, head), width, scale,
                       scores.data() + page * kPageTokens, stride);
    }
    // A prompt's tail within its last page is nobody's: the answer's tokens come right behind, so
    // that one softmax takes both.
    std::vector<float> totals(static_cast<size_t>(count));
    for (int64_t i = group.begin; i < group.end; ++i) {
      const DecodeRow& row = rows[static_cast<size_t>(i)];
      const Pages& own = answers_[static_cast<size_t>(row.answer_slot)];
      const int64_t from = (i - group.begin) * per_key;
      const int64_t own_width = pages_of(row.answer_tokens + 1) * kPageTokens;
      for (int64_t page = 0; page * kPageTokens < own_width; ++page) {
        cpu::page_scores(queries.data() + from * width, per_key,
                         own.keys(shape_, page, layer, head), width, scale,
                         scores.data() + from * stride + prompt_width + page * kPageTokens, stride);
      }
      for (int64_t g = 0; g < per_key; ++g) {
        float* line = scores.data() + (from + g) * stride;
        std::fill(line + row.prompt_tokens, line + prompt_width, -INFINITY);
        totals[static_cast<size_t>(from + g)] = cpu::softmax_numerators(
            line, prompt_width + row.answer_tokens + 1, prompt_width + own_width);
      }
      for (int64_t page = 0; page * kPageTokens < own_width; ++page) {
        cpu::add_page_values(scores.data() + from * stride + prompt_width + page * kPageTokens,
                             per_key, stride, own.keys(shape_, page, layer, head) + shape_.half(),
                             width, sums.data() + from * width);
      }
    }
    for (int64_t page = 0; page * kPageTokens < prompt_width; ++page) {
      cpu::add_page_values(scores.data() + page * kPageTokens, count, stride,
                           prompt.keys(shape_, page, layer, head) + shape_.half(), width,
                           sums.data());
    }
    for (int64_t q = 0; q < count; ++q) {
      const int64_t i = group.begin + q / per_key;
      T* to =
          out.mutable_data_ptr<T>() + (i * heads_.num_heads + head * per_key + q % per_key) * width;
      for (int64_t e = 0; e < width; ++e) {
        to[e] = static_cast<T>(sums[static_cast<size_t>(q * width + e)] /
                               totals[static_cast<size_t>(q)]);
      }
    }
  }

  AttentionShape heads_;
  PageShape shape_;
  std::vector<Pages> prompts_, answers_;
  std::vector<DecodeRow> rows_;  ///< of the present step
};

}  // namespace

std::unique_ptr<KvCache> make_paged_cache(const KvCacheShape& shape) {
  return std::make_unique<PagedCache>(shape);
}

}  // namespace xkde
