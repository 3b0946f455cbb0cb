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
  int64_t block;  ///< elements that share a value
  std::string place;
};

/// Bytes as the bits of numbers, of which no one asks whether they are finite.
std::span<const float> as_bits(std::span<const uint8_t> codes) {
  return {reinterpret_cast<const float*>(codes.data()), codes.size() / sizeof(float)};
}

/// `first`: where the piece begins in the state.
void check_piece(std::span<const float> piece, size_t first, const Origin& origin) {
  const auto bad = first_not_below(piece);
  if (!bad) [[likely]]
    return;
  const auto index = static_cast<int64_t>(first + *bad) * origin.block;
  throw NumericError(concat(origin.place, ": ", tensor_at(origin.layout, origin.shard, index),
                            ": expected finite values, found ", piece[*bad]));
}

}  // namespace

void check_finite(const StateView& state, const ShardLayout& layout, int shard,
                  const std::string& place) {
  for (const NamedState& part : state) {
    check_piece(part.values, 0,
                {layout, shard, state_form(part.name).block, place + ": " + part.name});
  }
}

uint64_t scan_state(const StateView& state, const ShardLayout& layout, int shard,
                    const std::string& place, const std::stop_token& stop, Pace* pace) {
  // Large beside what a rest costs, small beside what a step may lose to it.
  constexpr size_t kPiece = size_t{1} << 20;
  static_assert(kPiece % FloatFingerprint::kLanes == 0);
  FloatFingerprint fingerprint;
  for (const NamedState& part : state) {
    const Origin origin{layout, shard, state_form(part.name).block, place + ": " + part.name};
    const bool is_bytes = !part.codes.empty();
    const std::span<const float> values = is_bytes ? as_bits(part.codes) : part.values;
    for (size_t begin = 0; begin < values.size(); begin += kPiece) {
      if (stop.stop_requested()) return fingerprint.value();
      const Stopwatch watch;
      const std::span<const float> piece =
          values.subspan(begin, std::min(kPiece, values.size() - begin));
      if (!is_bytes) check_piece(piece, begin, origin);
      fingerprint.add(piece);
      if (pace != nullptr) pace->rest_after(watch.seconds(), stop);
    }
  }
  return fingerprint.value();
}

}  // namespace xkde::dist
