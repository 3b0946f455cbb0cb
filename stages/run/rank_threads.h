#ifndef XKDE_STAGES_RUN_RANK_THREADS_H_
#define XKDE_STAGES_RUN_RANK_THREADS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "distributed/comm/communicator.h"

namespace xkde::recipe {

/// Sets the number of threads that this rank computes with (at::set_num_threads): `asked`
/// (parallel.threads) or, where that is 0, OMP_NUM_THREADS or, where that is not set, the CPUs that
/// the rank may use, shared fairly with the ranks of its host that may use them too. Where
/// OMP_PROC_BIND has OpenMP bind its threads, OpenMP's own number stands in for the share. Rank 0
/// warns where a rank has more threads than CPUs, and where mpirun's binding leaves CPUs idle.
/// Collective.
void set_threads_of_rank(int64_t asked, dist::Communicator& comm);

/// What one rank tells of its CPUs.
struct RankCpus {
  int32_t usable = 0;         ///< usable_cpus()
  int32_t without_bind = 0;   ///< of the process that started it, where mpirun bound it; else 0
  int32_t asked_threads = 0;  ///< 0: none
};

/// The warning about the first rank that deserves one; empty where none does. `cpus[r]`: those that
/// rank r may run on; `hosts[r]`: the name of its host. `source`: who asked for the threads.
std::string threads_warning(const std::vector<RankCpus>& ranks,
                            const std::vector<std::vector<int>>& cpus,
                            const std::vector<std::string>& hosts, const std::string& source);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_RANK_THREADS_H_
