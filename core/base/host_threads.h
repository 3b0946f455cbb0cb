#ifndef XKDE_CORE_BASE_HOST_THREADS_H_
#define XKDE_CORE_BASE_HOST_THREADS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <sys/types.h>

namespace xkde {

/// Numbers of the CPUs that a process may run on, in ascending order: its affinity, which taskset,
/// a cpuset and the binding of mpirun or srun narrow. 0 is this process. Empty where the system
/// does not tell.
std::vector<int> cpus_of_process(pid_t process = 0);

/// How many CPUs this process may keep busy: those of cpus_of_process(), or what its control groups
/// let it use (cgroup_cpu_quota), where that is less. At least one.
int usable_cpus();

/// OMP_NUM_THREADS, of a list its first number; 0 where it is not set to a positive number.
int64_t threads_of_environment();

/// The threads of one of several processes of a host: `cpus[own]`, where a CPU that several of them
/// may run on counts in equal parts, but no more than an equal part of `quota` CPUs. At least one.
int fair_threads(std::span<const std::vector<int>> cpus, size_t own, double quota);

/// The threads of each of `processes` like this one on this host: `asked`, or OMP_NUM_THREADS where
/// that is 0, or an equal part of usable_cpus() where both are.
int threads_of_process(int64_t asked, int processes);

}  // namespace xkde

#endif  // XKDE_CORE_BASE_HOST_THREADS_H_
