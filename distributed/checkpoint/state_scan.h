#ifndef XKDE_DISTRIBUTED_CHECKPOINT_STATE_SCAN_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_STATE_SCAN_H_

#include <cstdint>
#include <stop_token>
#include <string>

#include "core/io/pace.h"
#include "distributed/checkpoint/checkpoint.h"

namespace xkde::dist {

/// Throws NumericError where a value of a rank's state is NaN or infinite: `place`, the state, the
/// tensor that holds it, and the value. `layout` and `shard` say which tensor that is. Reads the
/// state once. Not collective.
void check_finite(const StateView& state, const ShardLayout& layout, int shard,
                  const std::string& place);

/// check_finite(), which returns the state's FloatFingerprint from the same pass. Keeps to `pace`,
/// and ends early at a request of `stop`.
uint64_t scan_state(const StateView& state, const ShardLayout& layout, int shard,
                    const std::string& place, const std::stop_token& stop = {},
                    Pace* pace = nullptr);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_STATE_SCAN_H_
