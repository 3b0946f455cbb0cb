#ifndef XKDE_DISTRIBUTED_CHECKPOINT_STATE_FORM_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_STATE_FORM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {

/// How the values of a state lie in a rank's memory and files. Its name tells: NAME.codes are a
/// byte for each element, NAME.scales fp32 for each block of 256 elements, all others fp32 for each
/// element.
struct StateForm {
  bool is_bytes = false;
  int64_t block = 1;  ///< elements of the layout that share a value

  int64_t numel(const ShardLayout& layout) const { return layout.state_numel / block; }
  int64_t value_bytes() const { return is_bytes ? 1 : 4; }
};
StateForm state_form(const std::string& name);

/// Bytes of all of a rank's states, for each `block` elements of the layout.
struct StateBytes {
  int64_t bytes = 0;
  int64_t block = 1;
};
StateBytes bytes_of_states(const std::vector<std::string>& names);

/// Where the values of a state lie: the layout of the elements, or of their blocks.
ShardLayout layout_of_state(const ShardLayout& layout, const StateForm& form);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_STATE_FORM_H_
