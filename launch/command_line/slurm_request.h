#ifndef XKDE_LAUNCH_COMMAND_LINE_SLURM_REQUEST_H_
#define XKDE_LAUNCH_COMMAND_LINE_SLURM_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

namespace xkde {

/// What a run asks SLURM for.
struct SlurmRequest {
  std::string about{};                 ///< one line, for whoever reads the script
  int ranks = 1;                       ///< a task each
  int most_on_node = 1;                ///< ranks; nodes are filled evenly where that is possible
  bool uses_gpus = false;              ///< one a rank
  int threads = 0;                     ///< of a rank; 0: not decided here
  int64_t rank_bytes = 0;              ///< of its node's main memory; 0: not predicted
  double seconds = 0.0;                ///< of the training that is predicted; 0: of none
  std::vector<std::string> untimed{};  ///< stages that take time which nobody has predicted
};

/// The request as lines "#SBATCH --option=value" and comments. Memory has a tenth to spare and is
/// in whole GiB. Time has a quarter and ten minutes to spare; where a stage is not timed, it is a
/// comment.
std::string sbatch_lines(const SlurmRequest& request);

}  // namespace xkde

#endif  // XKDE_LAUNCH_COMMAND_LINE_SLURM_REQUEST_H_
