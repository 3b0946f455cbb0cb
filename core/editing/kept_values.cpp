#include "core/editing/kept_values.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/nn/device_copy.h"

namespace xkde {
namespace {

/// All that a request says.
std::string key_of(const EditRequest& request) {
  std::string key = std::to_string(request.record);
  for (const std::string* part :
       {&request.language, &request.prompt, &request.subject, &request.target}) {
    key += '\0';
    key += *part;
  }
  return key;
}

at::Tensor joined(const at::Tensor& rows, const at::Tensor& more) {
  return rows.defined() ? at::cat({rows, more}) : more;
}

template <typename T>
void append(std::vector<T>& values, const std::vector<T>& more) {
  values.insert(values.end(), more.begin(), more.end());
}

}  // namespace

KeptValues::KeptValues(std::vector<EditRequest> requests) {
  for (EditRequest& request : requests) {
    const bool is_new = places_.emplace(key_of(request), std::ssize(requests_)).second;
    if (is_new) requests_.push_back(std::move(request));
  }
}

void KeptValues::find_next(const EditableModel& model, const EditorSettings& settings,
                           const ValueOptions& options, Team& team) {
  if (found_ == size()) return;
  if (groups_.empty()) groups_ = value_groups(model, requests_, settings, options);
  ValueOptions own = options;
  own.groups = next_groups(team.size());
  const auto count = std::accumulate(own.groups.begin(), own.groups.end(), int64_t{0});
  const std::span<const EditRequest> next = std::span<const EditRequest>(requests_).subspan(
      static_cast<size_t>(found_), static_cast<size_t>(count));
  keep(value_vectors(model, next, settings, own, team));
}

std::vector<int64_t> KeptValues::next_groups(int members) const {
  std::vector<int64_t> next;
  int64_t end = 0;
  for (const int64_t size : groups_) {
    end += size;
    if (end <= found_ || std::ssize(next) == members) continue;
    next.push_back(std::min(size, end - found_));
  }
  return next;
}

void KeptValues::keep(ValueVectors found) {
  values_.before = joined(values_.before, found.before);
  values_.values = joined(values_.values, found.values);
  append(values_.steps, found.steps);
  append(values_.losses, found.losses);
  found_ = std::ssize(values_.steps);
}

std::optional<ValueVectors> KeptValues::of(std::span<const EditRequest> requests) const {
  std::vector<int64_t> rows;
  ValueVectors all;
  for (const EditRequest& request : requests) {
    const auto at = places_.find(key_of(request));
    if (at == places_.end() || at->second >= found_) return std::nullopt;
    rows.push_back(at->second);
    all.steps.push_back(values_.steps[static_cast<size_t>(at->second)]);
    all.losses.push_back(values_.losses[static_cast<size_t>(at->second)]);
  }
  if (rows.empty()) return std::nullopt;
  const at::Tensor index = to_device(rows, values_.values.device());
  all.before = values_.before.index_select(0, index);
  all.values = values_.values.index_select(0, index);
  return all;
}

std::map<std::string, at::Tensor> KeptValues::tensors() const {
  if (found_ == 0) return {};
  const at::TensorOptions wide = at::TensorOptions().dtype(at::kDouble);
  return {{"before", values_.before.cpu().to(at::kDouble)},
          {"values", values_.values.cpu().to(at::kDouble)},
          {"steps", at::tensor(values_.steps).to(at::kDouble)},
          {"losses", at::tensor(values_.losses, wide)}};
}

void KeptValues::restore(const std::map<std::string, at::Tensor>& tensors, at::Device device) {
  const at::Tensor &before = tensors.at("before"), &values = tensors.at("values");
  const at::Tensor steps = tensors.at("steps").to(at::kLong), losses = tensors.at("losses");
  const int64_t rows = steps.numel();
  XKDE_CHECK(rows > 0 && rows <= size() && losses.numel() == rows && before.dim() == 2 &&
                 before.size(0) == rows && values.sizes() == before.sizes(),
             DataError, "kept value vectors: expected those of the first of ", size(),
             " requests, found ", rows, " rows");
  const int64_t* first = steps.const_data_ptr<int64_t>();
  const double* loss = losses.const_data_ptr<double>();
  values_ = {.before = before.to(at::kFloat).to(device),
             .values = values.to(at::kFloat).to(device),
             .steps = {first, first + rows},
             .losses = {loss, loss + rows}};
  found_ = rows;
}

}  // namespace xkde
