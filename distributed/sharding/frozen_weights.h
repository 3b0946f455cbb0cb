#ifndef XKDE_DISTRIBUTED_SHARDING_FROZEN_WEIGHTS_H_
#define XKDE_DISTRIBUTED_SHARDING_FROZEN_WEIGHTS_H_

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/io/blocks/block_formats.h"
#include "distributed/sharding/gathered_weights.h"
#include "distributed/sharding/process_mesh.h"
#include "distributed/sharding/shard_layout.h"
#include "distributed/sharding/shard_values.h"

namespace xkde::dist {

/// The blocks that a frozen tensor is held in; null: it is held in the compute dtype.
using BlockFormatOf = std::function<const BlockFormat*(const std::string& name)>;

/// Where frozen tensors come from.
struct FrozenReader {
  ReadTensor values;
  /// All blocks of a tensor, in the format that it is held in, for tensors that have one.
  std::function<void(const std::string& name, std::span<std::byte> out)> blocks = {};
};

/// Weights that nobody trains, as flat shards of the compute dtype or, where any tensor has a block
/// format, of bytes: blocks as a GGUF file has them, and the compute dtype for all else. Bytes are
/// gathered as they are, so shards may end within a block. A unit of bytes is decoded when it is
/// asked for, and what was decoded goes when the unit is done, whatever the sharding mode. On a GPU
/// the host decodes.
class FrozenWeights final : public UnitSource {
 public:
  /// `layout` (of the elements) and `mesh` outlive it. An empty `format_of` has no blocks.
  FrozenWeights(const ShardLayout& layout, const ProcessMesh& mesh, GatherOptions options,
                const BlockFormatOf& format_of = nullptr);
  FrozenWeights(const FrozenWeights&) = delete;
  FrozenWeights& operator=(const FrozenWeights&) = delete;

  /// Fills this rank's shards. Not collective.
  void load(const FrozenReader& read);
  /// This rank's flat state: of the compute dtype, or int64 words of bytes.
  const at::Tensor& state() const noexcept { return state_; }
  bool has_blocks() const noexcept { return !held_layout_.units.empty(); }

  void start(size_t unit) override { held_.start(unit); }
  const at::Tensor& get(size_t unit) override;
  bool has(size_t unit) const noexcept override {
    return has_blocks() ? decoded_[unit].defined() : held_.has(unit);
  }
  void done(size_t unit) override;
  void invalidate() override;

 private:
  const ShardLayout& layout_of_state() const { return has_blocks() ? held_layout_ : layout_; }
  void load_blocks(const FrozenReader& read);
  at::Tensor words_of(size_t unit, size_t slot, const FrozenReader& read) const;
  void decode(size_t unit, const at::Tensor& words, const at::Tensor& flat) const;

  const ShardLayout& layout_;
  const ProcessMesh& mesh_;
  GatherOptions options_;
  std::vector<std::vector<const BlockFormat*>> formats_;  ///< by unit and slot
  ShardLayout held_layout_;                               ///< in words; empty without blocks
  at::Tensor state_;
  GatheredWeights held_;
  UnitMemory memory_;
  std::vector<at::Tensor> decoded_;  ///< by unit, in the compute dtype; undefined: not there
};

/// The words, of 8 bytes, that a unit takes where its model is held in blocks. `element_bytes`: of
/// the compute dtype.
int64_t held_words(const UnitLayout& unit, int64_t element_bytes, const BlockFormatOf& format_of);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_FROZEN_WEIGHTS_H_
