#include "distributed/checkpoint/state_scan.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "core/base/error.h"
#include "core/base/float_check.h"
#include "core/base/stopwatch.h"

namespace xkde::dist {
namespace {

/// Where the values of one state belong, for messages.
struct Origin {
  const ShardLayout& layout;
  int shard;
  std::string place;
};

/// `first`: where the piece begins in the state.
void check_piece(std::span<const float> piece, size_t first, const Origin& origin) {
  const auto bad = first_not_below(piece);
  if (!bad) [[likely]]
    return;
  const auto index = static_cast<int64_t>(first + *bad);
  throw NumericError(concat(origin.place, ": ", tensor_at(origin.layout, origin.shard, index),
                            ": expected finite values, found ", piece[*bad]));
}

}  // namespace

void check_finite(const StateView& state, const ShardLayout& layout, int shard,
                  const std::string& place) {
  for (const NamedState& part : state) {
    check_piece(part.values, 0, {layout, shard, place + ": " + part.name});
  }
}

uint64_t scan_state(const StateView& state, const ShardLayout& layout, int shard,
                    const std::string& place, const std::stop_token& stop, Pace* pace) {
  // Large beside what a rest costs, small beside what a step may lose to it.
  constexpr size_t kPiece = size_t{1} << 20;
  static_assert(kPiece % FloatFingerprint::kLanes == 0);
  FloatFingerprint fingerprint;
  for (const NamedState& part : state) {
    const Origin origin{layout, shard, place + ": " + part.name};
    for (size_t begin = 0; begin < part.values.size(); begin += kPiece) {
      if (stop.stop_requested()) return fingerprint.value();
      const Stopwatch watch;
      const std::span<const float> piece =
          part.values.subspan(begin, std::min(kPiece, part.values.size() - begin));
      check_piece(piece, begin, origin);
      fingerprint.add(piece);
      if (pace != nullptr) pace->rest_after(watch.seconds(), stop);
    }
  }
  return fingerprint.value();
}

}  // namespace xkde::dist
