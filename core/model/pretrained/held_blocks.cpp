#include "core/model/pretrained/held_blocks.h"

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/base/float_check.h"
#include "core/model/families/family.h"

namespace xkde {
namespace {

/// Blocks whose scale is no number would train nobody.
void check_finite(const BlockFormat& format, std::span<const std::byte> blocks,
                  const std::string& place, const std::string& name) {
  constexpr size_t kPieceBlocks = 256;
  const auto bytes = static_cast<size_t>(format.bytes);
  const auto values = static_cast<size_t>(format.values);
  std::vector<float> piece(kPieceBlocks * values);
  const size_t count = blocks.size() / bytes;
  for (size_t first = 0; first < count; first += kPieceBlocks) {
    const size_t some = std::min(kPieceBlocks, count - first);
    format.decode(blocks.data() + first * bytes, piece.data(), some);
    const auto bad = first_not_below(std::span(piece).first(some * values));
    XKDE_CHECK(!bad, DataError, place, ": tensor ", name, ": expected finite values, found ",
               piece[*bad], " at element ", first * values + *bad);
  }
}

}  // namespace

const BlockFormat* held_blocks(const WeightFile& weights, const std::string& name,
                               FrozenForm form) {
  if (form == FrozenForm::kDtype) return nullptr;
  if (form == FrozenForm::kAsStored) return weights.blocks_of(name);
  const BlockFormat* format = block_format("Q8_0");
  const std::vector<int64_t> shape = weights.shape(name);
  const bool fits = shape.size() == 2 && shape.back() % format->values == 0;
  return fits ? format : nullptr;
}

void read_held_blocks(const WeightFile& weights, const std::string& place, const std::string& name,
                      FrozenForm form, std::span<std::byte> out) {
  const BlockFormat& format = *held_blocks(weights, name, form);
  if (weights.blocks_of(name) == &format) {
    weights.read_blocks(name, out);
    return check_finite(format, out, place, name);
  }
  const size_t blocks = out.size() / static_cast<size_t>(format.bytes);
  std::vector<float> values(blocks * static_cast<size_t>(format.values));
  read_finite_f32(weights, place, name, 0, values);
  format.encode(values.data(), out.data(), blocks);
  // A scale beyond fp16's numbers has become infinite.
  check_finite(format, out, place, name);
}

void read_held_f32(const WeightFile& weights, const std::string& place, const std::string& name,
                   FrozenForm form, std::span<float> out) {
  const BlockFormat* format = held_blocks(weights, name, form);
  if (format == nullptr) return read_finite_f32(weights, place, name, 0, out);
  const size_t blocks = out.size() / static_cast<size_t>(format->values);
  std::vector<std::byte> bytes(blocks * static_cast<size_t>(format->bytes));
  read_held_blocks(weights, place, name, form, bytes);
  format->decode(bytes.data(), out.data(), blocks);
}

void check_held_blocks(const PretrainedModel& model, FrozenForm form, const std::string& place) {
  if (form == FrozenForm::kDtype) return;
  for (const UnitTensor& tensor : unit_at(model.config, 1).tensors) {
    if (held_blocks(*model.weights, tensor.name, form) != nullptr) return;
  }
  throw ConfigError(
      form == FrozenForm::kAsStored
          ? concat(place, ": expected a model whose file has quantized weights, found none in ",
                   model.path.string(), "; q8_0 quantizes those of any model")
          : concat(place, ": expected rows of a multiple of 32 weights, found none in ",
                   model.path.string(), "; dtype holds any model"));
}

}  // namespace xkde
