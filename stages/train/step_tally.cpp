#include "stages/train/step_tally.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "core/base/error.h"

namespace xkde::recipe {

void StepTally::set_sums(const at::Tensor& values) {
  if (!values.defined()) return;
  const at::Tensor host = values.cpu().contiguous();
  num_sums = static_cast<size_t>(host.numel());
  XKDE_CHECK(num_sums <= kMaxSums, InternalError, "a task's sums: expected at most ", kMaxSums,
             ", found ", num_sums);
  std::copy_n(host.const_data_ptr<double>(), num_sums, sums.begin());
}

StepTally joined(std::span<const StepTally> ranks) {
  StepTally all;
  all.grad_norm = ranks.front().grad_norm;
  for (const StepTally& rank : ranks) {
    all.loss += rank.loss;
    if (!std::isfinite(rank.grad_norm)) all.grad_norm = rank.grad_norm;
    all.computed_tokens += rank.computed_tokens;
    all.labels += rank.labels;
    all.peak_bytes = std::max(all.peak_bytes, rank.peak_bytes);
    all.next_packs = std::max(all.next_packs, rank.next_packs);
    all.is_writing |= rank.is_writing;
    all.stop_requested |= rank.stop_requested;
    all.save_requested |= rank.save_requested;
    all.num_sums = std::max(all.num_sums, rank.num_sums);
    for (size_t i = 0; i < StepTally::kMaxSums; ++i) all.sums[i] += rank.sums[i];
  }
  return all;
}

}  // namespace xkde::recipe
