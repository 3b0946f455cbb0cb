#ifndef XKDE_DISTRIBUTED_SHARDING_COPY_CHECK_H_
#define XKDE_DISTRIBUTED_SHARDING_COPY_CHECK_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace xkde::dist {

/// Compares what the ranks hold of the same shard: rank r has shard r % num_shards. `of_ranks`:
/// bits of each rank's values, equal where the values are. Throws CopiesError that begins with
/// `place` and names the ranks whose values are unlike those of the other copies; with two copies
/// it names both. Not collective: every rank that has the same bits comes to the same end.
void check_copies(std::span<const uint64_t> of_ranks, int num_shards, const std::string& place);

/// Looks at a state that other ranks hold copies of, a part each step: it costs a pass over the
/// state in so many steps. One flipped bit in a part is always seen.
class CopyCheck {
 public:
  /// `state`: fp32 [n] each, on any device. `steps`: all of it is looked at once in so many; 0: it
  /// never is. Nor is it where there is one copy of the `num_shards` shards.
  CopyCheck(std::vector<at::Tensor> state, int64_t steps, int num_ranks, int num_shards);

  /// Begins to look at the part of this step. On a GPU nobody waits.
  void begin(int64_t step);
  /// The bits of that part, for check_copies(); 0 where nothing is looked at. Waits for the device.
  uint64_t end();
  /// check_copies() of what end() gave on each rank. `place` begins the message.
  void compare(std::span<const uint64_t> of_ranks, const std::string& place) const;

 private:
  std::vector<at::Tensor> state_;
  int64_t steps_;
  int num_shards_;
  std::vector<at::Tensor> bits_;  ///< of the part, int64 [] each, maybe on their way
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_COPY_CHECK_H_
