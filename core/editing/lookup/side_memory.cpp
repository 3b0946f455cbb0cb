#include "core/editing/lookup/side_memory.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/editing/lookup/ties.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

constexpr double kNoEdits = 1e9;

std::string name_of_shard(int64_t number) {
  return number < 0 ? std::string("open") : concat("shard.", number);
}

}  // namespace

at::Tensor prompt_distances(const Decoder& decoder, const at::Tensor& u, const at::Tensor& v,
                            const LookupRows& rows) {
  const bool is_silu = decoder.config().family->arithmetic.activation == Activation::kSilu;
  const auto activated = [is_silu](const at::Tensor& x) {
    const at::Tensor wide = x.to(at::kFloat);
    return is_silu ? at::silu(wide) : at::gelu(wide, "tanh");
  };
  const at::Tensor counts = rows.is_prompt.to(at::kFloat);  // [T]
  const at::Tensor lengths = (activated(u) - activated(v)).norm(2, 1) * counts;
  const at::Tensor zeros = at::zeros({rows.ends.size(0)}, counts.options());
  return zeros.index_add(0, rows.owner, lengths) / zeros.index_add(0, rows.owner, counts);
}

SideMemory::SideMemory(const EditableModel& model, int64_t layer, at::Tensor base, double ratio)
    : model_(model),
      layer_(layer),
      base_(std::move(base)),
      ratio_(ratio),
      open_{base_.clone(), kNoEdits} {}

void SideMemory::close() {
  shards_.push_back(std::move(open_));
  open_ = {base_.clone(), kNoEdits};
}

void SideMemory::merge(int64_t count, double density) {
  const auto first = shards_.end() - count;
  std::vector<at::Tensor> weights;
  double least = kNoEdits;
  for (auto shard = first; shard != shards_.end(); ++shard) {
    weights.push_back(shard->weight);
    least = std::min(least, shard->least);
  }
  shards_.erase(first, shards_.end());
  shards_.push_back({merge_ties(base_, weights, density), least});
}

void SideMemory::refresh() {
  asked_.clear();
  const auto add = [this](const Shard& shard) {
    asked_.push_back({shard.weight.to(model_.dtype), ratio_ * shard.least});
  };
  for (const Shard& shard : shards_) add(shard);
  if (open_.least < kNoEdits) add(open_);
}

std::map<std::string, at::Tensor> SideMemory::state() const {
  std::map<std::string, at::Tensor> all;
  const auto put = [&all](int64_t number, const Shard& shard) {
    const std::string name = name_of_shard(number);
    all[name + ".weight"] = shard.weight.clone();
    all[name + ".least"] = at::tensor({shard.least}, at::TensorOptions().dtype(at::kDouble));
  };
  for (int64_t i = 0; i < closed(); ++i) put(i, shards_[static_cast<size_t>(i)]);
  // An untouched one is the model's own.
  if (open_.least < kNoEdits) put(-1, open_);
  return all;
}

void SideMemory::restore(const std::map<std::string, at::Tensor>& state) {
  const auto shard = [&state, this](int64_t number) {
    const std::string name = name_of_shard(number);
    return Shard{state.at(name + ".weight").to(base_.device(), base_.scalar_type()).clone(),
                 state.at(name + ".least").item<double>()};
  };
  shards_.clear();
  for (int64_t i = 0; state.contains(name_of_shard(i) + ".weight"); ++i)
    shards_.push_back(shard(i));
  open_ =
      state.contains(name_of_shard(-1) + ".weight") ? shard(-1) : Shard{base_.clone(), kNoEdits};
  refresh();
}

at::Tensor SideMemory::prompts(const at::Tensor& x, const at::Tensor& weight,
                               const at::Tensor& bias, const LookupRows& rows,
                               at::Tensor& found) const {
  const at::Tensor own = plain_product(x, weight, bias);
  at::Tensor out = own;
  found = at::full({rows.ends.size(0)}, -1, rows.ends.options());
  at::Tensor farthest = at::zeros({rows.ends.size(0)}, own.options().dtype(at::kFloat));
  for (size_t i = 0; i < asked_.size(); ++i) {
    const at::Tensor other = plain_product(x, asked_[i].weight, bias);
    const at::Tensor distance = prompt_distances(model_.decoder, other, own, rows);
    const at::Tensor is_it =
        (distance > asked_[i].threshold).logical_and(distance > farthest);  // [S]
    farthest = at::where(is_it, distance, farthest);
    found = at::where(is_it, static_cast<int64_t>(i), found);
    out = at::where(is_it.index_select(0, rows.owner).unsqueeze(1), other, out);
  }
  return out;
}

at::Tensor SideMemory::answers(const at::Tensor& x, const at::Tensor& weight,
                               const at::Tensor& bias, const at::Tensor& found) const {
  at::Tensor out = plain_product(x, weight, bias);
  for (size_t i = 0; i < asked_.size(); ++i) {
    const at::Tensor is_it = found == static_cast<int64_t>(i);
    if (!is_it.any().item<bool>()) continue;
    out = at::where(is_it.unsqueeze(1), plain_product(x, asked_[i].weight, bias), out);
  }
  return out;
}

}  // namespace xkde
