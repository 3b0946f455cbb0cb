#include "distributed/checkpoint/index.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/io/hdf5_file.h"
#include "distributed/checkpoint/state_form.h"

namespace xkde::dist {
namespace {

/// Appends the boxes of [first, first + numel) inside the block that `start` fixes in the
/// dimensions before `dim`.
// NOLINTNEXTLINE(readability-function-size): the state of a recursion, seen here only
void append_boxes(const std::vector<int64_t>& shape, size_t dim, std::vector<int64_t>& start,
                  int64_t first, int64_t numel, int64_t done, std::vector<Box>& boxes) {
  int64_t row = 1;  // elements behind one index of this dimension
  for (size_t d = dim + 1; d < shape.size(); ++d) row *= shape[d];
  const auto emit = [&](int64_t index, int64_t rows) {
    Box box{.start = start, .count = std::vector<int64_t>(shape.size(), 1), .first = done};
    box.start[dim] = index;
    box.count[dim] = rows;
    for (size_t d = dim + 1; d < shape.size(); ++d) {
      box.start[d] = 0;
      box.count[d] = shape[d];
    }
    boxes.push_back(std::move(box));
  };
  while (numel > 0) {
    const int64_t index = first / row;
    const int64_t inside = first % row;
    int64_t length = 0;
    if (inside == 0 && numel >= row) {
      length = numel / row * row;
      emit(index, numel / row);
    } else {
      length = std::min(row - inside, numel);
      start[dim] = index;
      append_boxes(shape, dim + 1, start, inside, length, done, boxes);
    }
    first += length;
    done += length;
    numel -= length;
  }
}

}  // namespace

std::vector<Box> boxes_of_range(const std::vector<int64_t>& shape, int64_t first, int64_t numel) {
  std::vector<Box> boxes;
  std::vector<int64_t> start(shape.size(), 0);
  append_boxes(shape, 0, start, first, numel, first, boxes);
  return boxes;
}

std::string source_name(const std::string& kind, int64_t step, uint64_t fingerprint) {
  return fmt::format("{}.{}-{:016x}", kind, folder_name(step), fingerprint);
}

FileRecord write_index(const std::filesystem::path& folder, const Manifest& manifest,
                       const std::vector<uint64_t>& fingerprints) {
  const std::filesystem::path path = folder / kIndexFile;
  const ShardLayout& layout = manifest.layout;
  Hdf5File file = Hdf5File::create(path);
  file.set_attribute("format_version", kCheckpointVersion);
  file.set_attribute("step", manifest.step);
  file.set_attribute("num_shards", layout.num_shards);
  for (const std::string& kind : manifest.kinds) {
    const StateForm form = state_form(kind);
    if (form.is_bytes || form.block != 1) continue;  // no tensor has such numbers
    file.create_group(kind);
    for (const UnitLayout& unit : layout.units) {
      for (const TensorSlot& slot : unit.slots) {
        std::vector<Hdf5Mapping> mappings;
        for (const ShardPiece& piece : pieces_of(layout, unit, slot)) {
          for (Box& box : boxes_of_range(slot.shape, piece.tensor_offset, piece.numel)) {
            mappings.push_back(
                {.source_file = rank_file_name(piece.shard),
                 .source_dataset = source_name(kind, manifest.step,
                                               fingerprints.at(static_cast<size_t>(piece.shard))),
                 .source_numel = layout.state_numel,
                 .source_first = piece.state_offset + box.first - piece.tensor_offset,
                 .start = std::move(box.start),
                 .count = std::move(box.count)});
          }
        }
        file.create_virtual(kind + "/" + slot.name, slot.shape, mappings);
      }
    }
  }
  file.close();
  DurableFile durable = DurableFile::reopen(path);
  durable.keep_rest();
  return durable.finish();
}

}  // namespace xkde::dist
