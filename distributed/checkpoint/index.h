#ifndef XKDE_DISTRIBUTED_CHECKPOINT_INDEX_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_INDEX_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "distributed/checkpoint/manifest.h"

namespace xkde::dist {

/// Elements [start, start + count) of a tensor in each dimension; `first` is the row-major number
/// of the first one.
struct Box {
  std::vector<int64_t> start, count;
  int64_t first = 0;
};

/// A row-major range of elements of a tensor as boxes, in element order: at most two for each
/// dimension but the last, and one.
std::vector<Box> boxes_of_range(const std::vector<int64_t>& shape, int64_t first, int64_t numel);

/// Writes index.h5: for each kind of state a group with one virtual dataset for each tensor, under
/// its Hugging Face name and with its full shape, over the flat datasets of the rank files. Throws
/// IoError.
FileRecord write_index(const std::filesystem::path& folder, const Manifest& manifest);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_INDEX_H_
