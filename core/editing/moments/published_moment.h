#ifndef XKDE_CORE_EDITING_MOMENTS_PUBLISHED_MOMENT_H_
#define XKDE_CORE_EDITING_MOMENTS_PUBLISHED_MOMENT_H_

#include <cstdint>
#include <filesystem>

#include "core/editing/moments/covariance_file.h"

namespace xkde {

/// Reads a .npz file of second moments as others publish them for ROME and MEMIT (github
/// kmeng01/rome, util/runningstats.py: SecondMoment): `mom2.mom2` is the sum of k kᵀ, fp32 or fp64
/// [width, width], and `mom2.count` how many k it is the sum of. Throws MissingInputError, and
/// DataError where it is none, is of another width, or holds what no sum of k kᵀ can be.
SecondMoment read_published_moment(const std::filesystem::path& file, int64_t width);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_MOMENTS_PUBLISHED_MOMENT_H_
