#include "core/nn/paged_cache.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/nn/kernels/cpu_kernels.h"
#include "core/nn/kernels/page_kernels.h"

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

/// Rows [begin, end) of the step that answer one prompt.
struct Group {
  int64_t begin = 0;
  int64_t end = 0;
};

/// The tensors of one step and layer.
struct StepTensors {
  const at::Tensor& qkv;      // [M, (H + 2K) E]
  const RotaryTable& rotary;  // [M, 1, E]
  at::Tensor& out;            // [M, H E]
};

/// One key head of one group, and how its scores lie: a line of `stride` for each query, the
/// prompt's pages first, from the first that any row of the group sees, then those of the query's
/// own answer.
struct HeadTask {
  int64_t layer, head;
  Group group;
  int64_t queries;       ///< n: rows of the group times query heads of the key head
  int64_t first_page;    ///< of the prompt
  int64_t prompt_width;  ///< of the prompt's part of a line, whole pages
  int64_t stride;

  int64_t first_token() const { return first_page * kPageTokens; }
  int64_t prompt_pages() const { return prompt_width / kPageTokens; }
};

/// What a thread computes with, used again from task to task.
struct Scratch {
  std::vector<float> queries;  ///< [n, E], rotated
  std::vector<float> scores;   ///< [n, stride]; numerators of the softmax later
  std::vector<float> totals;   ///< [n], its denominators
  std::vector<float> sums;     ///< [n, E], values by numerators
};

class PagedCache final : public KvCache {
 public:
  explicit PagedCache(const KvCacheShape& shape)
      : heads_(shape.heads),
        layers_(shape),
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
    if (qkv.scalar_type() == at::kFloat) return attend_to<float>(layer, qkv, rotary);
    return attend_to<c10::BFloat16>(layer, qkv, rotary);
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
    const cpu::HeadWidth head_width{width, rotary.width()};
    const T* cos = rotary.cos.const_data_ptr<T>() + row * head_width.turning;
    const T* sin = rotary.sin.const_data_ptr<T>() + row * head_width.turning;
    std::vector<T> rotated(static_cast<size_t>(width));
    const int64_t place = token % kPageTokens;
    for (int64_t head = 0; head < heads_.num_kv_heads; ++head) {
      cpu::rotate(from + head * width, cos, sin, rotated.data(), head_width, false);
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
  at::Tensor attend_to(int64_t layer, const at::Tensor& qkv, const RotaryTable& rotary) {
    const auto count = std::ssize(rows_);
    at::Tensor out = at::empty({count, heads_.num_heads * heads_.head_dim}, qkv.options());
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        Pages& pages = answers_[static_cast<size_t>(row(i).answer_slot)];
        pages.reserve(shape_, row(i).answer_tokens + 1);
        put_row<T>(pages, row(i).answer_tokens, layer, qkv, rotary, i);
      }
    });
    const std::vector<Group> groups = groups_of_step();
    const StepTensors step{qkv, rotary, out};
    const int64_t tasks = std::ssize(groups) * heads_.num_kv_heads;
    at::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
      Scratch scratch;
      for (int64_t i = begin; i < end; ++i) {
        const Group& group = groups[static_cast<size_t>(i / heads_.num_kv_heads)];
        attend_head<T>(task_of(layer, i % heads_.num_kv_heads, group), step, scratch);
      }
    });
    return out;
  }

  std::vector<Group> groups_of_step() const {
    std::vector<Group> groups;
    for (int64_t i = 0; i < std::ssize(rows_); ++i) {
      const bool same = i > 0 && row(i).prompt_slot == row(i - 1).prompt_slot;
      if (!same) groups.push_back({i, i});
      groups.back().end = i + 1;
    }
    return groups;
  }

  HeadTask task_of(int64_t layer, int64_t head, const Group& group) const {
    const int64_t prompt_tokens = row(group.begin).prompt_tokens;
    int64_t longest = 0;
    int64_t first = prompt_tokens;
    for (int64_t i = group.begin; i < group.end; ++i) {
      longest = std::max(longest, row(i).answer_tokens + 1);
      first = std::min(first, first_visible(layer, i));
    }
    const int64_t first_page = first / kPageTokens;
    const int64_t prompt_width = (pages_of(prompt_tokens) - first_page) * kPageTokens;
    return {.layer = layer,
            .head = head,
            .group = group,
            .queries = (group.end - group.begin) * per_key(),
            .first_page = first_page,
            .prompt_width = prompt_width,
            .stride = prompt_width + pages_of(longest) * kPageTokens};
  }

  /// One key head's queries of all rows of a prompt.
  template <typename T>
  void attend_head(const HeadTask& task, const StepTensors& step, Scratch& scratch) const {
    const int64_t width = heads_.head_dim;
    scratch.scores.resize(static_cast<size_t>(task.queries * task.stride));
    scratch.totals.resize(static_cast<size_t>(task.queries));
    scratch.sums.assign(static_cast<size_t>(task.queries * width), 0.0F);
    take_queries<T>(task, step, scratch);
    const Pages& prompt = prompts_[static_cast<size_t>(row(task.group.begin).prompt_slot)];
    for (int64_t page = 0; page < task.prompt_pages(); ++page) {
      cpu::page_scores(scratch.queries.data(), task.queries,
                       prompt.keys(shape_, task.first_page + page, task.layer, task.head), width,
                       scale(), scratch.scores.data() + page * kPageTokens, task.stride);
    }
    for (int64_t i = task.group.begin; i < task.group.end; ++i) attend_answer(task, i, scratch);
    for (int64_t page = 0; page < task.prompt_pages(); ++page) {
      const float* keys = prompt.keys(shape_, task.first_page + page, task.layer, task.head);
      cpu::add_page_values(scratch.scores.data() + page * kPageTokens, task.queries, task.stride,
                           keys + shape_.half(), width, scratch.sums.data());
    }
    write_out<T>(task, scratch, step.out);
  }

  template <typename T>
  void take_queries(const HeadTask& task, const StepTensors& step, Scratch& scratch) const {
    const int64_t width = heads_.head_dim;
    scratch.queries.resize(static_cast<size_t>(task.queries * width));
    std::vector<T> rotated(static_cast<size_t>(width));
    float* to = scratch.queries.data();
    for (int64_t i = task.group.begin; i < task.group.end; ++i) {
      const T* from =
          step.qkv.const_data_ptr<T>() + i * row_width() + task.head * per_key() * width;
      const cpu::HeadWidth head_width{width, step.rotary.width()};
      const T* cos = step.rotary.cos.const_data_ptr<T>() + i * head_width.turning;
      const T* sin = step.rotary.sin.const_data_ptr<T>() + i * head_width.turning;
      for (int64_t g = 0; g < per_key(); ++g) {
        cpu::rotate(from + g * width, cos, sin, rotated.data(), head_width, false);
        to = std::transform(rotated.begin(), rotated.end(), to,
                            [](T value) { return static_cast<float>(value); });
      }
    }
  }

  /// Row i's own tokens: their scores, the softmax over prompt and answer, their values. A prompt's
  /// tail within its last page is nobody's: the answer's tokens come right behind it, so that one
  /// softmax takes both.
  void attend_answer(const HeadTask& task, int64_t i, Scratch& scratch) const {
    const int64_t width = heads_.head_dim;
    const Pages& own = answers_[static_cast<size_t>(row(i).answer_slot)];
    const int64_t first = (i - task.group.begin) * per_key();
    const int64_t own_width = pages_of(row(i).answer_tokens + 1) * kPageTokens;
    float* lines = scratch.scores.data() + first * task.stride;
    for (int64_t page = 0; page * kPageTokens < own_width; ++page) {
      cpu::page_scores(scratch.queries.data() + first * width, per_key(),
                       own.keys(shape_, page, task.layer, task.head), width, scale(),
                       lines + task.prompt_width + page * kPageTokens, task.stride);
    }
    for (int64_t g = 0; g < per_key(); ++g) {
      float* line = lines + g * task.stride;
      const int64_t length = task.prompt_width + row(i).answer_tokens + 1;
      if (heads_.softcap > 0.0) {
        cpu::soft_cap(line, length, 1.0F, static_cast<float>(heads_.softcap));
      }
      hide_unseen(task, i, line);
      scratch.totals[static_cast<size_t>(first + g)] =
          cpu::softmax_numerators(line, length, task.prompt_width + own_width);
    }
    for (int64_t page = 0; page * kPageTokens < own_width; ++page) {
      cpu::add_page_values(lines + task.prompt_width + page * kPageTokens, per_key(), task.stride,
                           own.keys(shape_, page, task.layer, task.head) + shape_.half(), width,
                           scratch.sums.data() + first * width);
    }
  }

  /// Takes from the line of a query of row i what the row does not see: the prompt's tail within
  /// its last page, and all that is before the window.
  void hide_unseen(const HeadTask& task, int64_t i, float* line) const {
    const int64_t prompt_tokens = row(i).prompt_tokens;
    std::fill(line + prompt_tokens - task.first_token(), line + task.prompt_width, -INFINITY);
    const int64_t first = first_visible(task.layer, i);
    if (first == 0) return;
    std::fill(line, line + std::min(first, prompt_tokens) - task.first_token(), -INFINITY);
    float* answer = line + task.prompt_width;
    std::fill(answer, answer + std::max<int64_t>(0, first - prompt_tokens), -INFINITY);
  }

  /// The first token of its sequence that row i sees.
  int64_t first_visible(int64_t layer, int64_t i) const {
    const int64_t window = layers_.window(layer);
    const int64_t tokens = row(i).prompt_tokens + row(i).answer_tokens + 1;
    return window == 0 ? 0 : std::max<int64_t>(0, tokens - window);
  }

  template <typename T>
  void write_out(const HeadTask& task, const Scratch& scratch, at::Tensor& out) const {
    const int64_t width = heads_.head_dim;
    for (int64_t q = 0; q < task.queries; ++q) {
      const int64_t i = task.group.begin + q / per_key();
      const int64_t head = task.head * per_key() + q % per_key();
      T* to = out.mutable_data_ptr<T>() + (i * heads_.num_heads + head) * width;
      const float* sums = scratch.sums.data() + q * width;
      const float total = scratch.totals[static_cast<size_t>(q)];
      for (int64_t e = 0; e < width; ++e) to[e] = static_cast<T>(sums[e] / total);
    }
  }

  const DecodeRow& row(int64_t i) const { return rows_[static_cast<size_t>(i)]; }
  int64_t per_key() const { return heads_.num_heads / heads_.num_kv_heads; }
  float scale() const {
    return 1.0F / std::sqrt(static_cast<float>(heads_.score_divisor_squared()));
  }

  AttentionShape heads_;
  KvCacheShape layers_;
  PageShape shape_;
  std::vector<Pages> prompts_, answers_;
  std::vector<DecodeRow> rows_;  ///< of the present step
};

}  // namespace

std::unique_ptr<KvCache> make_paged_cache(const KvCacheShape& shape) {
  return std::make_unique<PagedCache>(shape);
}

}  // namespace xkde
