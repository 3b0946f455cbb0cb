#include "distributed/sharding/copy_check.h"

#include <algorithm>
#include <map>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/base/float_check.h"

namespace xkde::dist {
namespace {

constexpr size_t kMostShown = 8;

/// int64 [], on the values' device. Whatever the device, one flipped bit changes it.
at::Tensor bits_of(const at::Tensor& values) {
  // A sum of the patterns as integers: one reading kernel without memory of its own.
  if (!values.is_cpu()) return values.view(at::kInt).sum(at::kLong);
  FloatFingerprint fingerprint;
  fingerprint.add({values.const_data_ptr<float>(), static_cast<size_t>(values.numel())});
  return at::scalar_tensor(static_cast<int64_t>(fingerprint.value()), at::kLong);
}

std::string ranks_text(const std::vector<int>& ranks) {
  return fmt::format("rank{} {}", ranks.size() == 1 ? "" : "s", fmt::join(ranks, ", "));
}

/// What is wrong with a shard whose values `groups` of ranks hold; nothing where they are one.
std::string difference(int shard, const std::map<uint64_t, std::vector<int>>& groups) {
  if (groups.size() == 1) return "";
  size_t copies = 0;
  const std::vector<int>* most = nullptr;
  for (const auto& [bits, ranks] : groups) {
    copies += ranks.size();
    if (most == nullptr || ranks.size() > most->size()) most = &ranks;
  }
  const bool has_majority = 2 * most->size() > copies;
  std::vector<int> odd;
  for (const auto& [bits, ranks] : groups) {
    if (!has_majority || &ranks != most) odd.insert(odd.end(), ranks.begin(), ranks.end());
  }
  std::sort(odd.begin(), odd.end());
  return fmt::format("shard {} of {} unlike {}", shard, ranks_text(odd),
                     has_majority ? "that of " + ranks_text(*most) : "each other");
}

}  // namespace

void check_copies(std::span<const uint64_t> of_ranks, int num_shards, const std::string& place) {
  std::vector<std::string> found;
  const auto size = static_cast<int>(of_ranks.size());
  for (int shard = 0; shard < num_shards; ++shard) {
    std::map<uint64_t, std::vector<int>> groups;
    for (int rank = shard; rank < size; rank += num_shards) {
      groups[of_ranks[static_cast<size_t>(rank)]].push_back(rank);
    }
    const std::string text = difference(shard, groups);
    if (!text.empty() && found.size() < kMostShown) found.push_back(text);
  }
  XKDE_CHECK(found.empty(), CopiesError, place, ": expected the same masters and moments in all ",
             size / num_shards, " copies of the model, found ",
             fmt::format("{}", fmt::join(found, "; ")));
}

CopyCheck::CopyCheck(std::vector<at::Tensor> state, int64_t steps, int num_ranks, int num_shards)
    : state_(std::move(state)),
      steps_(num_ranks / num_shards > 1 ? steps : 0),
      num_shards_(num_shards) {}

void CopyCheck::begin(int64_t step) {
  bits_.clear();
  if (steps_ == 0) return;
  const int64_t part = step % steps_;
  for (const at::Tensor& values : state_) {
    const int64_t first = values.numel() * part / steps_;
    const int64_t last = values.numel() * (part + 1) / steps_;
    bits_.push_back(bits_of(values.narrow(0, first, last - first)));
  }
}

uint64_t CopyCheck::end() {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15U;
  uint64_t joined = 0;
  if (bits_.empty()) return joined;
  const at::Tensor host = at::stack(std::exchange(bits_, {})).cpu();
  const int64_t* bits = host.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < host.numel(); ++i) {
    joined = (joined ^ static_cast<uint64_t>(bits[i])) * kOdd;
  }
  return joined;
}

void CopyCheck::compare(std::span<const uint64_t> of_ranks, const std::string& place) const {
  if (steps_ > 0) check_copies(of_ranks, num_shards_, place);
}

}  // namespace xkde::dist
