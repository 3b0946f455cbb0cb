#include "distributed/sharding/frozen_weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"

namespace xkde::dist {
namespace {

constexpr int64_t kWord = 8;  // bytes of what travels between ranks

/// Words of a tensor as it is held.
int64_t words_of(int64_t numel, const BlockFormat* format, int64_t element_bytes) {
  const int64_t bytes =
      format != nullptr ? numel / format->values * format->bytes : numel * element_bytes;
  return (bytes + kWord - 1) / kWord;
}

UnitLayout in_words(const UnitLayout& unit, const std::vector<const BlockFormat*>& formats,
                    int64_t element_bytes) {
  UnitLayout words{.name = unit.name, .slots = {}};
  for (size_t i = 0; i < unit.slots.size(); ++i) {
    const TensorSlot& slot = unit.slots[i];
    words.slots.push_back(
        {.name = slot.name, .shape = {words_of(slot.numel, formats[i], element_bytes)}});
  }
  return words;
}

std::vector<const BlockFormat*> formats_of(const UnitLayout& unit, const BlockFormatOf& format_of) {
  std::vector<const BlockFormat*> formats;
  for (const TensorSlot& slot : unit.slots) {
    formats.push_back(format_of ? format_of(slot.name) : nullptr);
    XKDE_CHECK(formats.back() == nullptr || slot.numel % formats.back()->values == 0, InternalError,
               slot.name, ": ", slot.numel, " elements in blocks of ", formats.back()->values);
  }
  return formats;
}

std::vector<std::vector<const BlockFormat*>> formats_of(const ShardLayout& layout,
                                                        const BlockFormatOf& format_of) {
  std::vector<std::vector<const BlockFormat*>> all;
  for (const UnitLayout& unit : layout.units) all.push_back(formats_of(unit, format_of));
  return all;
}

/// Empty where no tensor is held in blocks.
ShardLayout layout_in_words(const ShardLayout& layout,
                            const std::vector<std::vector<const BlockFormat*>>& formats,
                            at::ScalarType dtype) {
  bool any = false;
  std::vector<UnitLayout> units;
  for (size_t i = 0; i < layout.units.size(); ++i) {
    for (const BlockFormat* format : formats[i]) any = any || format != nullptr;
    units.push_back(
        in_words(layout.units[i], formats[i], static_cast<int64_t>(at::elementSize(dtype))));
  }
  return any ? make_layout(std::move(units), layout.num_shards) : ShardLayout{};
}

/// `in` holds the blocks of `out`, on the CPU.
void decode_blocks(const BlockFormat& format, const std::byte* in, const at::Tensor& out) {
  constexpr int64_t kPieceValues = 8192;  // fp32 that stays in the cache
  const int64_t piece = kPieceValues / format.values;
  const int64_t blocks = out.numel() / format.values;
  at::parallel_for(0, (blocks + piece - 1) / piece, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> values(static_cast<size_t>(kPieceValues));
    for (int64_t first = begin * piece; first < std::min(end * piece, blocks); first += piece) {
      const int64_t count = std::min(piece, blocks - first);
      const int64_t numel = count * format.values;
      format.decode(in + first * format.bytes, values.data(), static_cast<size_t>(count));
      if (out.scalar_type() == at::kFloat) {
        std::copy_n(values.data(), numel, out.mutable_data_ptr<float>() + first * format.values);
      } else {
        auto* to = out.mutable_data_ptr<at::BFloat16>() + first * format.values;
        for (int64_t i = 0; i < numel; ++i)
          to[i] = static_cast<at::BFloat16>(values[static_cast<size_t>(i)]);
      }
    }
  });
}

}  // namespace

int64_t held_words(const UnitLayout& unit, int64_t element_bytes, const BlockFormatOf& format_of) {
  int64_t words = 0;
  for (const TensorSlot& slot : in_words(unit, formats_of(unit, format_of), element_bytes).slots)
    words += slot.shape.front();
  return words;
}

FrozenWeights::FrozenWeights(const ShardLayout& layout, const ProcessMesh& mesh,
                             GatherOptions options, const BlockFormatOf& format_of)
    : layout_(layout),
      mesh_(mesh),
      options_(options),
      formats_(formats_of(layout, format_of)),
      held_layout_(layout_in_words(layout, formats_, options.dtype)),
      state_(at::zeros({layout_of_state().state_numel},
                       at::TensorOptions()
                           .dtype(has_blocks() ? at::kLong : options.dtype)
                           .device(options.device))),
      held_(layout_of_state(), state_, mesh.shards(),
            {.dtype = state_.scalar_type(), .device = options.device, .stays = options.stays}),
      memory_(layout.units.size(), options.dtype, options.device),
      decoded_(layout.units.size()) {}

void FrozenWeights::load(const FrozenReader& read) {
  if (has_blocks()) {
    load_blocks(read);
  } else {
    fill_shard(layout_, mesh_.shard(), read.values, state_);
  }
  invalidate();
}

/// A whole tensor as it is held, int64 in host memory.
at::Tensor FrozenWeights::words_of(size_t unit, size_t slot, const FrozenReader& read) const {
  const TensorSlot& tensor = layout_.units[unit].slots[slot];
  const TensorSlot& held = held_layout_.units[unit].slots[slot];
  at::Tensor words = at::zeros({held.numel}, at::TensorOptions().dtype(at::kLong));
  auto* bytes = reinterpret_cast<std::byte*>(words.mutable_data_ptr<int64_t>());
  if (const BlockFormat* format = formats_[unit][slot]) {
    const int64_t count = tensor.numel / format->values * format->bytes;
    read.blocks(tensor.name, {bytes, static_cast<size_t>(count)});
    return words;
  }
  at::Tensor values = at::empty({tensor.numel}, at::TensorOptions().dtype(at::kFloat));
  read.values(tensor.name, 0,
              {values.mutable_data_ptr<float>(), static_cast<size_t>(values.numel())});
  values = values.to(options_.dtype);
  std::memcpy(bytes, values.const_data_ptr(), values.nbytes());
  return words;
}

void FrozenWeights::load_blocks(const FrozenReader& read) {
  for (size_t u = 0; u < held_layout_.units.size(); ++u) {
    const UnitLayout& unit = held_layout_.units[u];
    for (size_t s = 0; s < unit.slots.size(); ++s) {
      const at::Tensor whole = words_of(u, s, read);
      for (const ShardPiece& piece : pieces_of(held_layout_, unit, unit.slots[s])) {
        if (piece.shard != mesh_.shard()) continue;
        state_.narrow(0, piece.state_offset, piece.numel)
            .copy_(whole.narrow(0, piece.tensor_offset, piece.numel));
      }
    }
  }
}

void FrozenWeights::decode(size_t unit, const at::Tensor& words, const at::Tensor& flat) const {
  const auto* bytes = reinterpret_cast<const std::byte*>(words.const_data_ptr<int64_t>());
  const UnitLayout& elements = layout_.units[unit];
  for (size_t i = 0; i < elements.slots.size(); ++i) {
    const TensorSlot& slot = elements.slots[i];
    const std::byte* from = bytes + held_layout_.units[unit].slots[i].offset * kWord;
    const at::Tensor out = flat.narrow(0, slot.offset, slot.numel);
    if (const BlockFormat* format = formats_[unit][i]) {
      decode_blocks(*format, from, out);
    } else if (slot.numel > 0) {
      std::memcpy(out.mutable_data_ptr(), from, out.nbytes());
    }
  }
}

const at::Tensor& FrozenWeights::get(size_t unit) {
  if (!has_blocks()) return held_.get(unit);
  at::Tensor& flat = decoded_[unit];
  if (flat.defined()) return flat;
  const at::Tensor& words = held_.get(unit);
  const int64_t numel = layout_.units[unit].shard_numel * mesh_.num_shards();
  const at::Tensor& memory = memory_.take(unit, numel);
  if (memory.is_cpu()) {
    decode(unit, words, memory);
  } else {
    const at::Tensor host = at::empty({numel}, memory.options().device(at::kCPU));
    decode(unit, words.cpu(), host);
    memory.copy_(host);
  }
  held_.done(unit);
  flat = memory;
  return flat;
}

void FrozenWeights::done(size_t unit) {
  held_.done(unit);
  if (!has_blocks()) return;
  decoded_[unit] = at::Tensor();
  memory_.give_back(unit);
}

void FrozenWeights::invalidate() {
  for (size_t unit = 0; has_blocks() && unit < decoded_.size(); ++unit) done(unit);
  held_.invalidate();
}

}  // namespace xkde::dist
