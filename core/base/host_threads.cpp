#include "core/base/host_threads.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <map>

#include <sched.h>
#include <unistd.h>

#include "core/base/control_groups.h"

namespace xkde {
namespace {

/// Thirds that add up to one must not come out as a CPU less.
constexpr double kRounding = 1e-9;

int whole_cpus(double cpus) {
  constexpr double kMost = 1 << 20;
  return std::max(1, static_cast<int>(std::floor(std::min(cpus, kMost) + kRounding)));
}

}  // namespace

std::vector<int> cpus_of_process(pid_t process) {
  constexpr size_t kMostCpus = size_t{1} << 20;
  std::vector<int> cpus;
  // The kernel refuses a set that is smaller than its own.
  for (size_t count = CPU_SETSIZE; count <= kMostCpus; count *= 2) {
    std::vector<cpu_set_t> set(count / CPU_SETSIZE);
    const size_t bytes = set.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(process, bytes, set.data()) != 0) {
      if (errno == EINVAL) continue;
      break;
    }
    for (size_t cpu = 0; cpu < count; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, set.data())) cpus.push_back(static_cast<int>(cpu));
    }
    break;
  }
  return cpus;
}

int usable_cpus() {
  const auto allowed = static_cast<double>(cpus_of_process().size());
  const double quota = cgroup_cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup");
  const auto online = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
  return whole_cpus(std::min(allowed > 0 ? allowed : online, quota));
}

int64_t threads_of_environment() {
  const char* const text = std::getenv("OMP_NUM_THREADS");
  return text == nullptr ? 0 : std::max<int64_t>(0, std::strtol(text, nullptr, 10));
}

int fair_threads(std::span<const std::vector<int>> cpus, size_t own, double quota) {
  std::map<int, int> users;
  for (const std::vector<int>& of_one : cpus) {
    for (const int cpu : of_one) ++users[cpu];
  }
  double share = 0.0;
  for (const int cpu : cpus[own]) share += 1.0 / users[cpu];
  return whole_cpus(std::min(share, quota / static_cast<double>(cpus.size())));
}

int threads_of_process(int64_t asked, int processes) {
  if (asked <= 0) asked = threads_of_environment();
  return asked > 0 ? static_cast<int>(asked) : std::max(1, usable_cpus() / processes);
}

}  // namespace xkde
