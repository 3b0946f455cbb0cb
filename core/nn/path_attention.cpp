#include "core/nn/path_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/base/error.h"
#include "core/nn/kernels/cpu_kernels.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

using c10::BFloat16;

/// A path's rows, and how many of its last ones are its own.
struct Path {
  std::vector<int64_t> rows;
  int64_t own = 0;
};

std::vector<Path> paths_of(const std::vector<TreeNode>& nodes) {
  std::vector<int64_t> first_row(nodes.size());
  std::vector<char> is_leaf(nodes.size(), 1);
  int64_t row = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    first_row[i] = row;
    row += nodes[i].length;
    if (nodes[i].parent >= 0) is_leaf[static_cast<size_t>(nodes[i].parent)] = 0;
  }
  std::vector<char> taken(nodes.size(), 0);
  std::vector<Path> paths;
  for (size_t leaf = 0; leaf < nodes.size(); ++leaf) {
    if (is_leaf[leaf] == 0) continue;
    std::vector<size_t> chain;
    for (auto node = static_cast<int64_t>(leaf); node >= 0;) {
      chain.push_back(static_cast<size_t>(node));
      node = nodes[static_cast<size_t>(node)].parent;
    }
    Path path;
    for (auto node = chain.rbegin(); node != chain.rend(); ++node) {
      const int64_t length = nodes[*node].length;
      for (int64_t i = 0; i < length; ++i) path.rows.push_back(first_row[*node] + i);
      if (std::exchange(taken[*node], 1) == 0) path.own += length;
    }
    paths.push_back(std::move(path));
  }
  return paths;
}

PathGroup group_of(std::span<const Path* const> paths) {
  PathGroup group;
  group.paths = static_cast<int64_t>(paths.size());
  for (const Path* path : paths) {
    group.queries = std::max(group.queries, path->own);
    group.keys = std::max(group.keys, static_cast<int64_t>(path->rows.size()));
  }
  for (const Path* path : paths) {
    const auto length = static_cast<int64_t>(path->rows.size());
    group.rows.insert(group.rows.end(), static_cast<size_t>(group.keys - length), -1);
    group.rows.insert(group.rows.end(), path->rows.begin(), path->rows.end());
    group.lengths.push_back(length);
    group.own.push_back(path->own);
  }
  return group;
}

/// Paths, longest queries first, in runs whose padding and number cost the least together.
std::vector<std::span<const Path* const>> grouped(const std::vector<const Path*>& paths) {
  // Pairs of a query and a key that take as long as the calls for one more group: 70 us measured
  // beside 12 ns a pair.
  constexpr int64_t kPairsOfGroup = 4096;
  constexpr size_t kLargest = 256;  // paths of a group
  std::vector<int64_t> cost(paths.size() + 1, std::numeric_limits<int64_t>::max());
  std::vector<size_t> begin_of(paths.size() + 1);  // of the group that ends there
  cost[0] = 0;
  for (size_t end = 1; end <= paths.size(); ++end) {
    int64_t keys = 0;
    for (size_t begin = end; begin-- > 0 && end - begin <= kLargest;) {
      keys = std::max(keys, static_cast<int64_t>(paths[begin]->rows.size()));
      const int64_t pairs = static_cast<int64_t>(end - begin) * paths[begin]->own * keys;
      const int64_t whole = cost[begin] + pairs + kPairsOfGroup;
      if (whole < cost[end]) {
        cost[end] = whole;
        begin_of[end] = begin;
      }
    }
  }
  std::vector<std::span<const Path* const>> groups;
  for (size_t end = paths.size(); end > 0; end = begin_of[end]) {
    groups.push_back(std::span(paths).subspan(begin_of[end], end - begin_of[end]));
  }
  std::reverse(groups.begin(), groups.end());
  return groups;
}

struct Sizes {
  int64_t query_heads, key_heads, width;
  float scale, cap;  ///< of scores; cap 0: none
  int64_t per_key() const { return query_heads / key_heads; }
  float softmax_scale() const { return cap > 0.0F ? 1.0F : scale; }
  int64_t row() const { return (query_heads + 2 * key_heads) * width; }
};

/// The rotated queries [paths * K, G * queries, E] and keys, and the values [paths * K, keys, E].
struct Gathered {
  at::Tensor q, k, v;
};

template <typename T>
Gathered gather(const PathGroup& group, const Sizes& sizes, const at::Tensor& qkv,
                const RotaryTable& rotary) {
  const int64_t width = sizes.width;
  const cpu::HeadWidth head_width{width, rotary.width()};
  const int64_t batch = group.paths * sizes.key_heads;
  Gathered out{at::empty({batch, sizes.per_key() * group.queries, width}, qkv.options()),
               at::empty({batch, group.keys, width}, qkv.options()),
               at::empty({batch, group.keys, width}, qkv.options())};
  const T* source = qkv.const_data_ptr<T>();
  const T* cos = rotary.cos.const_data_ptr<T>();
  const T* sin = rotary.sin.const_data_ptr<T>();
  T* q = out.q.mutable_data_ptr<T>();
  T* k = out.k.mutable_data_ptr<T>();
  T* v = out.v.mutable_data_ptr<T>();
  at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t path = b / sizes.key_heads;
      const int64_t head = b % sizes.key_heads;
      const int64_t* rows = group.rows.data() + path * group.keys;
      const int64_t dead = group.queries - group.own[static_cast<size_t>(path)];
      for (int64_t slot = 0; slot < group.keys; ++slot) {
        T* to_k = k + (b * group.keys + slot) * width;
        T* to_v = v + (b * group.keys + slot) * width;
        if (rows[slot] < 0) {
          std::fill_n(to_k, width, T(0.0F));
          std::fill_n(to_v, width, T(0.0F));
          continue;
        }
        const T* row = source + rows[slot] * sizes.row();
        const T* from_k = row + (sizes.query_heads + head) * width;
        const int64_t angles = rows[slot] * head_width.turning;
        cpu::rotate(from_k, cos + angles, sin + angles, to_k, head_width, false);
        std::copy_n(from_k + sizes.key_heads * width, width, to_v);
      }
      for (int64_t g = 0; g < sizes.per_key(); ++g) {
        for (int64_t i = 0; i < group.queries; ++i) {
          T* to = q + ((b * sizes.per_key() + g) * group.queries + i) * width;
          if (i < dead) {
            std::fill_n(to, width, T(0.0F));
            continue;
          }
          const int64_t row = rows[group.keys - group.queries + i];
          const T* from = source + row * sizes.row() + (head * sizes.per_key() + g) * width;
          const int64_t angles = row * head_width.turning;
          cpu::rotate(from, cos + angles, sin + angles, to, head_width, false);
        }
      }
    }
  });
  return out;
}

/// Calls run(b, path, g, i, row) for every live query slot: batch entry, path, head of the group,
/// slot, row of the pack.
template <typename Run>
void for_queries(const PathGroup& group, const Sizes& sizes, const Run& run) {
  at::parallel_for(0, group.paths * sizes.key_heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t path = b / sizes.key_heads;
      const int64_t dead = group.queries - group.own[static_cast<size_t>(path)];
      const int64_t* rows = group.rows.data() + path * group.keys + group.keys - group.queries;
      for (int64_t g = 0; g < sizes.per_key(); ++g) {
        for (int64_t i = dead; i < group.queries; ++i) run(b, path, g, i, rows[i]);
      }
    }
  });
}

template <typename T>
void softmax(const PathGroup& group, const Sizes& sizes, int64_t window, at::Tensor& scores) {
  T* data = scores.mutable_data_ptr<T>();
  at::parallel_for(0, group.paths * sizes.key_heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const auto path = static_cast<size_t>(b / sizes.key_heads);
      const int64_t dead = group.queries - group.own[path];
      const int64_t padding = group.keys - group.lengths[path];
      for (int64_t line = 0; line < sizes.per_key() * group.queries; ++line) {
        const int64_t i = line % group.queries;
        T* row = data + (b * sizes.per_key() * group.queries + line) * group.keys;
        if (i < dead) {
          std::fill_n(row, group.keys, T(0.0F));
          continue;
        }
        const int64_t last = group.keys - group.queries + i + 1;
        const int64_t first = window == 0 ? padding : std::max(padding, last - window);
        if (sizes.cap > 0.0F) cpu::soft_cap(row + first, last - first, sizes.scale, sizes.cap);
        cpu::masked_softmax(row, first, last, group.keys, sizes.softmax_scale());
      }
    }
  });
}

template <typename T>
void softmax_backward(const at::Tensor& probabilities, at::Tensor& gradient, float scale) {
  const int64_t width = probabilities.size(-1);
  const T* p = probabilities.const_data_ptr<T>();
  T* g = gradient.mutable_data_ptr<T>();
  at::parallel_for(0, probabilities.numel() / width, 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      cpu::softmax_backward(p + row * width, g + row * width, width, scale);
    }
  });
}

/// Turns the gradient of capped scores into that of the products of queries and keys, which are
/// computed again.
template <typename T>
void soft_cap_backward(const Gathered& in, const Sizes& sizes, at::Tensor& gradient) {
  const at::Tensor products = product(in.q, in.k.transpose(1, 2));
  const int64_t width = products.size(-1);
  const T* from = products.const_data_ptr<T>();
  T* to = gradient.mutable_data_ptr<T>();
  at::parallel_for(0, products.numel() / width, 64, [&](int64_t begin, int64_t end) {
    cpu::soft_cap_backward(from + begin * width, to + begin * width, (end - begin) * width,
                           sizes.scale, sizes.cap);
  });
}

/// Queries' rows between a pack's [T, H E] and a group's [paths * K, G * queries, E].
template <typename T>
void scatter_queries(const PathGroup& group, const Sizes& sizes, const at::Tensor& from,
                     at::Tensor& to) {
  const T* source = from.const_data_ptr<T>();
  T* target = to.mutable_data_ptr<T>();
  for_queries(group, sizes, [&](int64_t b, int64_t, int64_t g, int64_t i, int64_t row) {
    const int64_t head = b % sizes.key_heads * sizes.per_key() + g;
    std::copy_n(source + ((b * sizes.per_key() + g) * group.queries + i) * sizes.width, sizes.width,
                target + (row * sizes.query_heads + head) * sizes.width);
  });
}
template <typename T>
at::Tensor gather_queries(const PathGroup& group, const Sizes& sizes, const at::Tensor& from) {
  at::Tensor to =
      at::zeros({group.paths * sizes.key_heads, sizes.per_key() * group.queries, sizes.width},
                from.options());
  const T* source = from.const_data_ptr<T>();
  T* target = to.mutable_data_ptr<T>();
  for_queries(group, sizes, [&](int64_t b, int64_t, int64_t g, int64_t i, int64_t row) {
    const int64_t head = b % sizes.key_heads * sizes.per_key() + g;
    std::copy_n(source + (row * sizes.query_heads + head) * sizes.width, sizes.width,
                target + ((b * sizes.per_key() + g) * group.queries + i) * sizes.width);
  });
  return to;
}

/// Turns the queries' gradients back into their rows of the gradient of qkv.
template <typename T>
void scatter_query_gradient(const PathGroup& group, const Sizes& sizes, const at::Tensor& from,
                            const RotaryTable& rotary, at::Tensor& qkv_grad) {
  const T* source = from.const_data_ptr<T>();
  const T* cos = rotary.cos.const_data_ptr<T>();
  const T* sin = rotary.sin.const_data_ptr<T>();
  T* target = qkv_grad.mutable_data_ptr<T>();
  const cpu::HeadWidth width{sizes.width, rotary.width()};
  for_queries(group, sizes, [&](int64_t b, int64_t, int64_t g, int64_t i, int64_t row) {
    const int64_t head = b % sizes.key_heads * sizes.per_key() + g;
    cpu::rotate(source + ((b * sizes.per_key() + g) * group.queries + i) * width.whole,
                cos + row * width.turning, sin + row * width.turning,
                target + row * sizes.row() + head * width.whole, width, true);
  });
}

/// Adds up the keys' and values' gradients over paths: sums fp32 [2, K, T, E].
template <typename T>
void add_key_gradients(const PathGroup& group, const Sizes& sizes, const at::Tensor& k_grad,
                       const at::Tensor& v_grad, at::Tensor& sums) {
  const T* from_k = k_grad.const_data_ptr<T>();
  const T* from_v = v_grad.const_data_ptr<T>();
  const int64_t tokens = sums.size(2);
  float* to = sums.mutable_data_ptr<float>();
  // A head is one thread's work: paths add to the same rows.
  at::parallel_for(0, sizes.key_heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t head = begin; head < end; ++head) {
      for (int64_t path = 0; path < group.paths; ++path) {
        for (int64_t slot = 0; slot < group.keys; ++slot) {
          const int64_t row = group.rows[static_cast<size_t>(path * group.keys + slot)];
          if (row < 0) continue;
          const int64_t from = ((path * sizes.key_heads + head) * group.keys + slot) * sizes.width;
          cpu::add_to(from_k + from, to + (head * tokens + row) * sizes.width, sizes.width);
          cpu::add_to(from_v + from, to + ((sizes.key_heads + head) * tokens + row) * sizes.width,
                      sizes.width);
        }
      }
    }
  });
}

template <typename T>
void write_key_gradients(const Sizes& sizes, const at::Tensor& sums, const RotaryTable& rotary,
                         at::Tensor& qkv_grad) {
  const int64_t tokens = sums.size(2);
  const float* from = sums.const_data_ptr<float>();
  const T* cos = rotary.cos.const_data_ptr<T>();
  const T* sin = rotary.sin.const_data_ptr<T>();
  T* to = qkv_grad.mutable_data_ptr<T>();
  const int64_t width = sizes.width;
  at::parallel_for(0, tokens, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t head = 0; head < sizes.key_heads; ++head) {
        T* key = to + row * sizes.row() + (sizes.query_heads + head) * width;
        const int64_t angles = row * rotary.width();
        cpu::rotate_back(from + (head * tokens + row) * width, cos + angles, sin + angles, key,
                         {width, rotary.width()});
        const float* value = from + ((sizes.key_heads + head) * tokens + row) * width;
        for (int64_t i = 0; i < width; ++i) {
          key[sizes.key_heads * width + i] = static_cast<T>(value[i]);
        }
      }
    }
  });
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Holder : torch::CustomClassHolder {
  explicit Holder(std::shared_ptr<const PathPlan> shared) : plan(std::move(shared)) {}
  std::shared_ptr<const PathPlan> plan;
};

template <typename T>
struct PathAttention : torch::autograd::Function<PathAttention<T>> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv, const at::Tensor& cos,
                            const at::Tensor& sin, const Sizes& sizes,
                            const std::shared_ptr<const PathPlan>& plan) {
    const RotaryTable rotary{cos, sin};
    at::Tensor out = at::empty({plan->rows, sizes.query_heads * sizes.width}, qkv.options());
    variable_list saved = {cos, sin};
    for (const PathGroup& group : plan->groups) {
      const Gathered in = gather<T>(group, sizes, qkv, rotary);
      at::Tensor probabilities = product(in.q, in.k.transpose(1, 2));
      softmax<T>(group, sizes, plan->window, probabilities);
      scatter_queries<T>(group, sizes, product(probabilities, in.v), out);
      saved.insert(saved.end(), {in.q, in.k, in.v, probabilities});
    }
    context->save_for_backward(saved);
    context->saved_data["sizes"] =
        std::vector<int64_t>{sizes.query_heads, sizes.key_heads, sizes.width};
    context->saved_data["scores"] = std::vector<double>{sizes.scale, sizes.cap};
    context->saved_data["plan"] = c10::IValue::make_capsule(c10::make_intrusive<Holder>(plan));
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto counts = context->saved_data["sizes"].toIntVector();
    const auto scores = context->saved_data["scores"].toDoubleVector();
    const Sizes sizes{counts[0], counts[1], counts[2], static_cast<float>(scores[0]),
                      static_cast<float>(scores[1])};
    const auto capsule = context->saved_data["plan"].toCapsule();
    const PathPlan& plan = *static_cast<const Holder&>(*capsule).plan;
    const variable_list saved = context->get_saved_variables();
    const RotaryTable rotary{saved[0], saved[1]};
    const at::Tensor out_grad = gradients[0].contiguous();
    at::Tensor qkv_grad = at::empty({plan.rows, sizes.row()}, out_grad.options());
    at::Tensor key_sums = at::zeros({2, sizes.key_heads, plan.rows, sizes.width},
                                    out_grad.options().dtype(at::kFloat));
    for (size_t i = 0; i < plan.groups.size(); ++i) {
      const PathGroup& group = plan.groups[i];
      const Gathered in{saved[2 + 4 * i], saved[3 + 4 * i], saved[4 + 4 * i]};
      const at::Tensor& probabilities = saved[5 + 4 * i];
      const at::Tensor grad = gather_queries<T>(group, sizes, out_grad);
      const at::Tensor v_grad = product(probabilities.transpose(1, 2), grad);
      at::Tensor score_grad = product(grad, in.v.transpose(1, 2));
      softmax_backward<T>(probabilities, score_grad, sizes.softmax_scale());
      if (sizes.cap > 0.0F) soft_cap_backward<T>(in, sizes, score_grad);
      scatter_query_gradient<T>(group, sizes, product(score_grad, in.k), rotary, qkv_grad);
      add_key_gradients<T>(group, sizes, product(score_grad.transpose(1, 2), in.q), v_grad,
                           key_sums);
    }
    write_key_gradients<T>(sizes, key_sums, rotary, qkv_grad);
    return {qkv_grad, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

std::shared_ptr<const PathPlan> make_path_plan(const std::vector<TreeNode>& nodes, int64_t window) {
  const std::vector<Path> paths = paths_of(nodes);
  std::vector<const Path*> order;
  auto plan = std::make_shared<PathPlan>();
  plan->window = window;
  for (const Path& path : paths) {
    if (static_cast<int64_t>(path.rows.size()) > cpu::kLongestSoftmax) return nullptr;
    plan->rows += path.own;
    order.push_back(&path);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const Path* a, const Path* b) { return a->own > b->own; });
  for (const std::span<const Path* const> group : grouped(order)) {
    plan->groups.push_back(group_of(group));
  }
  return plan;
}

at::Tensor path_attention(const at::Tensor& qkv, const AttentionShape& shape,
                          const RotaryTable& rotary, std::shared_ptr<const PathPlan> plan) {
  const Sizes sizes{shape.num_heads, shape.num_kv_heads, shape.head_dim,
                    1.0F / std::sqrt(static_cast<float>(shape.score_divisor_squared())),
                    static_cast<float>(shape.softcap)};
  XKDE_CHECK(qkv.size(0) == plan->rows, InternalError, "path_attention: ", qkv.size(0),
             " rows for a plan of ", plan->rows);
  const at::Tensor rows = qkv.contiguous();
  if (qkv.scalar_type() == at::kBFloat16) {
    return PathAttention<BFloat16>::apply(rows, rotary.cos, rotary.sin, sizes, plan);
  }
  return PathAttention<float>::apply(rows, rotary.cos, rotary.sin, sizes, plan);
}

}  // namespace xkde
