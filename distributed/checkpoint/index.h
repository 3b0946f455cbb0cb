#ifndef XKDE_DISTRIBUTED_CHECKPOINT_INDEX_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_INDEX_H_

#include <cstdint>
#include <filesystem>
#include <string>
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

/// The second name that the dataset of a state has in its rank file, for index.h5: with step and
/// content ("master.step-00000002-0123456789abcdef"), so that HDF5, which looks for a source by the
/// names of file and dataset, never takes one of another checkpoint. `fingerprint`: of the shard's
/// whole state. In no group: HDF5 2.0 takes a missing group for an error, not for a gap.
std::string source_name(const std::string& kind, int64_t step, uint64_t fingerprint);

/// Writes index.h5: for each kind of state a group with one virtual dataset for each tensor, under
/// its Hugging Face name and with its full shape, over the flat datasets of the rank files by their
/// source_name(). `fingerprints`: of the shards. What is missing there reads as NaN. Throws
/// IoError.
FileRecord write_index(const std::filesystem::path& folder, const Manifest& manifest,
                       const std::vector<uint64_t>& fingerprints);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_INDEX_H_
