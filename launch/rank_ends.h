#ifndef XKDE_LAUNCH_RANK_ENDS_H_
#define XKDE_LAUNCH_RANK_ENDS_H_

#include <span>

#include "distributed/comm/mpi_environment.h"

namespace xkde {

/// Whether the ranks end alike, so that each may leave by itself.
bool end_alike(std::span<const dist::RankEnd> ends);
/// Whether `rank` says why it ends, where the ranks end alike: the first of those that say the same
/// does, up to the kMostTexts-th of different texts.
bool speaks(std::span<const dist::RankEnd> ends, int rank);
inline constexpr int kMostTexts = 4;

}  // namespace xkde

#endif  // XKDE_LAUNCH_RANK_ENDS_H_
