#include "core/editing/lookup/codebook.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/nn/device_copy.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

/// What is taken from a radius so that two entries do not touch.
constexpr double kGap = 1e-5;
/// at::cdist's mode that subtracts: products lose what nearly equal keys differ in.
constexpr int64_t kSubtracts = 2;
/// Behind a target that is shorter than the longest.
constexpr int64_t kNoToken = -1;

constexpr const char* kKeys = "keys";
constexpr const char* kValues = "values";
constexpr const char* kRadii = "radii";
constexpr const char* kTargets = "targets";

}  // namespace

Codebook::Nearest Codebook::nearest(const at::Tensor& keys) const {
  const at::Tensor distances = at::cdist(keys.to(at::kFloat), keys_, 2.0, kSubtracts);  // [S, N]
  const at::Tensor least = distances.amin(1);
  const at::Tensor numbers = at::arange(size(), distances.options().dtype(at::kLong));
  const at::Tensor is_least = distances == least.unsqueeze(1);
  return {at::where(is_least, numbers, -1).amax(1), least};
}

int64_t Codebook::add(const at::Tensor& key, const std::vector<int64_t>& target, double radius,
                      const at::Tensor& value) {
  const at::Tensor new_key = key.to(at::kFloat).unsqueeze(0);
  const at::Tensor new_value = value.to(at::kFloat).unsqueeze(0);
  keys_ = keys_.defined() ? at::cat({keys_, new_key}) : new_key.clone();
  values_ = values_.defined() ? at::cat({values_, new_value}) : new_value.clone();
  radii_.push_back(radius);
  targets_.push_back(target);
  return size() - 1;
}

int64_t Codebook::place(const at::Tensor& key, const std::vector<int64_t>& target, double radius,
                        const at::Tensor& value) {
  if (size() == 0) return add(key, target, radius, value);
  const Nearest found = nearest(key.unsqueeze(0));
  const auto entry = found.entry.item<int64_t>();
  const auto at = static_cast<size_t>(entry);
  const double distance = found.distance.item<float>();
  if (distance > radius + radii_[at]) return add(key, target, radius, value);
  if (targets_[at] == target) {
    radii_[at] = std::max(radii_[at], distance);
    return entry;
  }
  if (distance / 2 <= kGap) {
    targets_[at] = target;
    return entry;
  }
  radii_[at] = distance / 2 - kGap;
  return add(key, target, distance / 2, value);
}

std::map<std::string, at::Tensor> Codebook::state() const {
  if (size() == 0) return {};
  size_t longest = 0;
  for (const std::vector<int64_t>& target : targets_) longest = std::max(longest, target.size());
  std::vector<int64_t> flat;
  for (std::vector<int64_t> target : targets_) {
    target.resize(longest, kNoToken);
    flat.insert(flat.end(), target.begin(), target.end());
  }
  return {{kKeys, keys_.clone()},
          {kValues, values_.clone()},
          {kRadii, at::tensor(radii_, at::TensorOptions().dtype(at::kDouble))},
          {kTargets, at::tensor(flat, at::TensorOptions().dtype(at::kLong)).view({size(), -1})}};
}

void Codebook::restore(const std::map<std::string, at::Tensor>& state) {
  *this = Codebook(layer_, device_);
  if (state.empty()) return;
  // A file has all of them in fp64.
  keys_ = state.at(kKeys).to(device_, at::kFloat).clone();
  values_ = state.at(kValues).to(device_, at::kFloat).clone();
  const at::Tensor radii = state.at(kRadii).cpu();
  radii_.assign(radii.const_data_ptr<double>(), radii.const_data_ptr<double>() + size());
  const at::Tensor targets = state.at(kTargets).to(at::kCPU, at::kLong).contiguous();
  const auto* ids = targets.const_data_ptr<int64_t>();
  for (int64_t entry = 0; entry < size(); ++entry) {
    const int64_t* begin = ids + entry * targets.size(1);
    targets_.emplace_back(begin, std::find(begin, begin + targets.size(1), kNoToken));
  }
}

at::Tensor Codebook::prompts(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const LookupRows& rows, at::Tensor& found) const {
  const at::Tensor out = plain_product(x, weight, bias);
  found = at::full({rows.ends.size(0)}, -1, rows.ends.options());
  if (size() == 0) return out;
  const Nearest near = nearest(x.index_select(0, rows.ends));
  const at::Tensor radii = to_device(radii_, device_).index_select(0, near.entry);
  const at::Tensor is_within = near.distance.to(at::kDouble) <= radii;  // [S]
  found = at::where(is_within, near.entry, found);
  const at::Tensor values = values_.index_select(0, near.entry).to(out.scalar_type());
  return out.index_copy(0, rows.ends,
                        at::where(is_within.unsqueeze(1), values, out.index_select(0, rows.ends)));
}

at::Tensor Codebook::answers(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& /*found*/) const {
  return plain_product(x, weight, bias);
}

}  // namespace xkde
