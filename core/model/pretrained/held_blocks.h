#ifndef XKDE_CORE_MODEL_PRETRAINED_HELD_BLOCKS_H_
#define XKDE_CORE_MODEL_PRETRAINED_HELD_BLOCKS_H_

#include <cstddef>
#include <span>
#include <string>

#include "core/io/blocks/block_formats.h"
#include "core/model/families/frozen_form.h"
#include "core/model/pretrained/pretrained.h"

namespace xkde {

/// The blocks that a tensor is held in where weights have this form; null: it is held in the
/// compute dtype. Vectors, and rows that are no whole number of blocks, never have any.
const BlockFormat* held_blocks(const WeightFile& weights, const std::string& name, FrozenForm form);

/// Those blocks, as they lie in the file or, where it has others, of its values. `out` has exactly
/// their number of bytes. Throws DataError as read_finite_f32() does.
void read_held_blocks(const WeightFile& weights, const std::string& place, const std::string& name,
                      FrozenForm form, std::span<std::byte> out);

/// The values that a tensor has where weights have this form, before the compute dtype rounds them.
/// `out` and what it throws are as those of read_finite_f32().
void read_held_f32(const WeightFile& weights, const std::string& place, const std::string& name,
                   FrozenForm form, std::span<float> out);

/// Throws ConfigError where no tensor of a decoder would be held in blocks: PLACE: expected …,
/// found …. `place`: of the key that asks for the form.
void check_held_blocks(const PretrainedModel& model, FrozenForm form, const std::string& place);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_PRETRAINED_HELD_BLOCKS_H_
