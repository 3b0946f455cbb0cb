#include "core/nn/tree_attention.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/base/error.h"
#include "core/nn/device_copy.h"

namespace xkde {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Result = VarlenKernel::Result;
using Gradients = VarlenKernel::Gradients;

/// Where the rows of each node, and of all below it, are.
struct Places {
  std::vector<int64_t> begin, own_end, end, depth;
};

Places places_of(const std::vector<TreeNode>& nodes) {
  Places places;
  std::vector<int64_t> path;
  int64_t row = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    while (!path.empty() && path.back() != nodes[i].parent) path.pop_back();
    const bool fits = nodes[i].length > 0 && (nodes[i].parent == -1 || !path.empty());
    XKDE_CHECK(fits, InternalError, "token tree: node ", i, " of ", nodes[i].length,
               " rows below node ", nodes[i].parent, " is not in depth-first order");
    places.depth.push_back(static_cast<int64_t>(path.size()));
    path.push_back(static_cast<int64_t>(i));
    places.begin.push_back(row);
    row += nodes[i].length;
    places.own_end.push_back(row);
  }
  places.end = places.own_end;
  for (size_t i = nodes.size(); i-- > 0;) {
    if (nodes[i].parent < 0) continue;
    int64_t& end = places.end[static_cast<size_t>(nodes[i].parent)];
    end = std::max(end, places.end[i]);
  }
  return places;
}

/// The sequences of one call as they are found.
struct CallBuilder {
  std::vector<int> q_begins = {0}, k_begins = {0};
  int64_t longest_q = 0, longest_k = 0;

  void add(int64_t queries, int64_t keys) {
    q_begins.push_back(q_begins.back() + static_cast<int>(queries));
    k_begins.push_back(k_begins.back() + static_cast<int>(keys));
    longest_q = std::max(longest_q, queries);
    longest_k = std::max(longest_k, keys);
  }
  VarlenCall build(bool causal, at::Device device) const {
    return {to_device(q_begins, device), to_device(k_begins, device), longest_q, longest_k, causal};
  }
};

void append_range(std::vector<int64_t>& rows, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) rows.push_back(row);
}

at::Tensor wide(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
}

/// [H, t] as a factor of rows [t, H, E].
at::Tensor per_row(const at::Tensor& x) { return x.t().unsqueeze(2); }

/// Calls body(rows, offset) for each depth: its rows are all different, so that adding to them has
/// one order on every device.
template <typename Body>
void for_each_level(const TreePlan& plan, const Body& body) {
  for (size_t level = 0; level + 1 < plan.levels.size(); ++level) {
    const int64_t begin = plan.levels[level];
    const int64_t length = plan.levels[level + 1] - begin;
    body(plan.query_rows.narrow(0, begin, length), begin, length);
  }
}

/// `own` of all rows and `above` of the gathered ones as the attention over both kinds of keys.
Result join(const TreePlan& plan, const Result& own, const Result& above) {
  at::Tensor lse = own.lse.clone();
  for_each_level(plan, [&](const at::Tensor& rows, int64_t begin, int64_t length) {
    const at::Tensor part = above.lse.narrow(1, begin, length);
    lse.index_copy_(1, rows, at::logaddexp(lse.index_select(1, rows), part));
  });
  at::Tensor out = wide(own.out) * per_row((own.lse - lse).exp());
  for_each_level(plan, [&](const at::Tensor& rows, int64_t begin, int64_t length) {
    const at::Tensor share = (above.lse.narrow(1, begin, length) - lse.index_select(1, rows)).exp();
    out.index_add_(0, rows, wide(above.out.narrow(0, begin, length)) * per_row(share));
  });
  return {out.to(own.out.scalar_type()), lse};
}

Gradients add_above(const TreePlan& plan, const Gradients& own, const Gradients& above) {
  at::Tensor q = wide(own.q).clone();
  for_each_level(plan, [&](const at::Tensor& rows, int64_t begin, int64_t length) {
    q.index_add_(0, rows, wide(above.q.narrow(0, begin, length)));
  });
  const auto add_keys = [&](const at::Tensor& to, const at::Tensor& part) {
    return at::index_add(wide(to), 0, plan.key_rows, wide(part)).to(to.scalar_type());
  };
  return {q.to(own.q.scalar_type()), add_keys(own.k, above.k), add_keys(own.v, above.v)};
}

struct State : torch::CustomClassHolder {
  State(std::shared_ptr<const TreePlan> tree, const VarlenKernel& varlen, double factor)
      : plan(std::move(tree)), kernel(varlen), scale(factor) {}
  std::shared_ptr<const TreePlan> plan;
  const VarlenKernel& kernel;
  double scale;
};

struct TreeAttention : torch::autograd::Function<TreeAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const c10::intrusive_ptr<State>& state) {
    const TreePlan& plan = *state->plan;
    Result result = state->kernel.forward(q, k, v, plan.own, state->scale);
    if (plan.query_rows.numel() > 0) {
      result = join(plan, result,
                    state->kernel.forward(
                        q.index_select(0, plan.query_rows), k.index_select(0, plan.key_rows),
                        v.index_select(0, plan.key_rows), plan.above, state->scale));
    }
    context->saved_data["state"] = c10::IValue::make_capsule(state);
    context->save_for_backward({q, k, v, result.out, result.lse});
    return result.out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto capsule = context->saved_data["state"].toCapsule();
    const State& state = static_cast<const State&>(*capsule);
    const TreePlan& plan = *state.plan;
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2];
    const Result result{saved[3], saved[4]};
    Gradients total = state.kernel.backward(grads[0], q, k, v, result, plan.own, state.scale);
    if (plan.query_rows.numel() > 0) {
      const auto queries = [&](const at::Tensor& x) { return x.index_select(0, plan.query_rows); };
      const auto keys = [&](const at::Tensor& x) { return x.index_select(0, plan.key_rows); };
      const Result gathered{queries(result.out), result.lse.index_select(1, plan.query_rows)};
      total = add_above(plan, total,
                        state.kernel.backward(queries(grads[0]), queries(q), keys(k), keys(v),
                                              gathered, plan.above, state.scale));
    }
    return {total.q, total.k, total.v, at::Tensor()};
  }
};

}  // namespace

int64_t visible_pairs(const std::vector<TreeNode>& nodes) {
  const Places places = places_of(nodes);
  int64_t pairs = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const int64_t length = nodes[i].length;
    pairs += length * (length + 1) / 2 + length * (places.end[i] - places.own_end[i]);
  }
  return pairs;
}

int64_t longest_path(const std::vector<TreeNode>& nodes) {
  std::vector<int64_t> lengths;  // down to each node's end
  int64_t longest = 0;
  for (const TreeNode& node : nodes) {
    const int64_t above = node.parent < 0 ? 0 : lengths[static_cast<size_t>(node.parent)];
    lengths.push_back(above + node.length);
    longest = std::max(longest, lengths.back());
  }
  return longest;
}

at::Tensor tree_mask(const std::vector<TreeNode>& nodes, int64_t window) {
  const Places places = places_of(nodes);
  const int64_t total = places.own_end.empty() ? 0 : places.own_end.back();
  at::Tensor mask = at::zeros({total, total}, at::kBool);
  bool* bits = mask.mutable_data_ptr<bool>();
  for (size_t i = 0; i < nodes.size(); ++i) {
    const int64_t parent = nodes[i].parent;
    int64_t before = parent < 0 ? -1 : places.own_end[static_cast<size_t>(parent)] - 1;
    for (int64_t row = places.begin[i]; row < places.own_end[i]; ++row) {
      if (before >= 0) std::copy_n(bits + before * total, before + 1, bits + row * total);
      bits[row * total + row] = true;
      before = row;
    }
  }
  if (window == 0) return mask;
  const at::Tensor depth = mask.sum(1);  // a row sees as many rows as it is deep
  return mask.logical_and(depth.unsqueeze(1) - depth.unsqueeze(0) < window);
}

std::shared_ptr<const TreePlan> make_tree_plan(const std::vector<TreeNode>& nodes,
                                               at::Device device) {
  const Places places = places_of(nodes);
  CallBuilder own, above;
  for (const TreeNode& node : nodes) own.add(node.length, node.length);

  TreePlan plan;
  std::vector<int64_t> query_rows, key_rows;
  const int64_t deepest =
      nodes.empty() ? -1 : *std::max_element(places.depth.begin(), places.depth.end());
  plan.levels.push_back(0);
  for (int64_t depth = 0; depth < deepest; ++depth) {
    for (size_t i = 0; i < nodes.size(); ++i) {
      const int64_t below = places.end[i] - places.own_end[i];
      if (places.depth[i] != depth || below == 0) continue;
      above.add(below, nodes[i].length);
      append_range(query_rows, places.own_end[i], places.end[i]);
      append_range(key_rows, places.begin[i], places.own_end[i]);
    }
    plan.levels.push_back(static_cast<int64_t>(query_rows.size()));
  }
  plan.own = own.build(true, device);
  plan.above = above.build(false, device);
  plan.query_rows = to_device(query_rows, device);
  plan.key_rows = to_device(key_rows, device);
  return std::make_shared<const TreePlan>(std::move(plan));
}

at::Tensor tree_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          std::shared_ptr<const TreePlan> plan, const VarlenKernel& kernel,
                          double scale) {
  return TreeAttention::apply(q, k, v, c10::make_intrusive<State>(std::move(plan), kernel, scale));
}

}  // namespace xkde
