#ifndef XKDE_LAUNCH_FAILURE_H_
#define XKDE_LAUNCH_FAILURE_H_

#include <span>
#include <string>

#include "distributed/comm/mpi_environment.h"

namespace xkde {

/// What an exception means to a user and a scheduler.
struct Failure {
  int exit_code = 0;
  std::string kind;  ///< "DataError" and so on
  std::string message;
};

/// Whether the ranks end alike, so that each may leave by itself.
bool end_alike(std::span<const dist::RankEnd> ends);
/// Whether `rank` says why it ends, where the ranks end alike: the first of those that say the same
/// does, up to the kMostTexts-th of different texts.
bool speaks(std::span<const dist::RankEnd> ends, int rank);
inline constexpr int kMostTexts = 4;

/// Of the exception in flight; to be called in a catch block.
Failure describe_current_exception();

}  // namespace xkde

#endif  // XKDE_LAUNCH_FAILURE_H_
