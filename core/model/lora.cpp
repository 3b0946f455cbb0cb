#include "core/model/lora.h"

#include <utility>

#include <ATen/ATen.h>

#include "core/nn/products.h"

namespace xkde {

std::vector<at::Tensor> lora_matrices(const LoraBlock& block, int64_t r, const at::Tensor& flat) {
  std::vector<at::Tensor> views;
  int64_t offset = 0;
  const auto take = [&](int64_t rows, int64_t columns) {
    views.push_back(flat.narrow(0, offset, rows * columns).view({rows, columns}));
    offset += rows * columns;
  };
  for (const LoraGroup& group : block.groups) {
    take(static_cast<int64_t>(group.rows.size()) * r, group.columns);
    for (const RowRange& rows : group.rows) take(rows.count, r);
  }
  return views;
}

BlockAdapters::BlockAdapters(const LoraBlock& block, const std::vector<at::Tensor>& matrices,
                             const LoraOptions& options)
    : rate_(options.dropout) {
  auto next = matrices.begin();
  for (const LoraGroup& group : block.groups) {
    LoraWeights weights{.a = *next++, .b = {}, .rows = group.rows, .scale = options.scale()};
    for (size_t i = 0; i < group.rows.size(); ++i) weights.b.push_back(*next++);
    by_role_[static_cast<size_t>(group.role)] = std::move(weights);
  }
}

void BlockAdapters::drop(const at::Tensor& seeds, int64_t layer) {
  for (size_t role = 0; role < by_role_.size(); ++role) {
    if (!by_role_[role]) continue;
    const auto key = static_cast<uint64_t>(layer) * kNumTensorRoles + role;
    by_role_[role]->dropout = {.rate = rate_, .seeds = seeds, .key = key};
  }
}

at::Tensor BlockAdapters::product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& bias) const {
  const LoraWeights* lora = of(role);
  return lora != nullptr ? lora_linear(x, weight, bias, *lora) : plain_product(x, weight, bias);
}

}  // namespace xkde
