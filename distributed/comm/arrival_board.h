#ifndef XKDE_DISTRIBUTED_COMM_ARRIVAL_BOARD_H_
#define XKDE_DISTRIBUTED_COMM_ARRIVAL_BOARD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/shared_memory.h"
#include "distributed/comm/collective_call.h"
#include "distributed/comm/communicator.h"

namespace xkde::dist {

/// Which call each rank of this host made last, in shared memory: so a thread that sees a
/// collective hang can name who did not arrive, without a message to anyone. Words that are read
/// while their rank writes them may be mixed; numbers are not.
class ArrivalBoard {
 public:
  /// Every rank of `group` calls it; it needs `group` no longer. Throws IoError on all ranks where
  /// one gets no shared memory.
  explicit ArrivalBoard(Communicator& group);

  /// This rank's newest call, in `phase`, of which the first 63 bytes are kept.
  void arrive(const CollectiveCall& call, std::string_view phase) noexcept;
  /// Why `call` may not end: "rank 2 did not arrive: it is at all_gather #11 (block 6)", or that
  /// all ranks of this host arrived. From any thread.
  std::string missing(const CollectiveCall& call) const;

 private:
  struct Slot;
  Slot& slot(size_t place) const noexcept;

  std::vector<int> ranks_;  // of this host, in the order of the slots
  size_t own_ = 0;
  int size_ = 0;  // of the group
  SharedMemory memory_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_ARRIVAL_BOARD_H_
