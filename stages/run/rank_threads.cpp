#include "stages/run/rank_threads.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/base/control_groups.h"
#include "core/base/host_threads.h"
#include "core/base/log.h"
#include "core/text/plural.h"
#include "distributed/comm/typed_gather.h"
#include "stages/run/run_place.h"

namespace xkde::recipe {
namespace {

std::string_view environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Then the mask of a process's first thread says nothing about the others.
bool openmp_binds_threads() {
  const std::string_view bind = environment("OMP_PROC_BIND");
  return !bind.empty() && bind != "false" && bind != "FALSE";
}

bool mpirun_bound_us() { return environment("OMPI_MCA_orte_bound_at_launch") == "1"; }

std::string cpus_text(size_t count) { return count_of(count, "CPU"); }

/// The CPUs of all ranks of a host together.
std::set<int> cpus_of_host(const std::vector<std::vector<int>>& cpus,
                           const std::vector<std::string>& hosts, const std::string& host) {
  std::set<int> all;
  for (size_t r = 0; r < hosts.size(); ++r) {
    if (hosts[r] == host) all.insert(cpus[r].begin(), cpus[r].end());
  }
  return all;
}

}  // namespace

std::string threads_warning(const std::vector<RankCpus>& ranks,
                            const std::vector<std::vector<int>>& cpus,
                            const std::vector<std::string>& hosts, const std::string& source) {
  constexpr const char* kRemedy =
      "mpirun binds a rank to few CPUs unless it is told --bind-to none";
  for (size_t r = 0; r < ranks.size(); ++r) {
    const RankCpus& rank = ranks[r];
    if (rank.asked_threads > rank.usable) {
      return fmt::format("{}: {} threads on the {} that rank {} may use{}{}", source,
                         rank.asked_threads, cpus_text(static_cast<size_t>(rank.usable)), r,
                         rank.without_bind > 0 ? "; " : "", rank.without_bind > 0 ? kRemedy : "");
    }
    const size_t used = cpus_of_host(cpus, hosts, hosts[r]).size();
    if (2 * used > static_cast<size_t>(rank.without_bind)) continue;
    return fmt::format("the ranks of host {} may use {} of {}: {}", hosts[r], used,
                       cpus_text(static_cast<size_t>(rank.without_bind)), kRemedy);
  }
  return "";
}

void set_threads_of_rank(int64_t asked, dist::Communicator& comm) {
  const std::string source = asked > 0 ? "parallel.threads" : "OMP_NUM_THREADS";
  if (asked <= 0) asked = threads_of_environment();
  const std::vector<std::string> hosts = hosts_of_ranks(comm);
  const std::vector<std::vector<int>> cpus = dist::gather(comm, cpus_of_process());
  RankCpus own{.usable = usable_cpus(), .asked_threads = static_cast<int32_t>(asked)};
  if (mpirun_bound_us())
    own.without_bind = static_cast<int32_t>(cpus_of_process(::getppid()).size());
  if (asked <= 0 && !openmp_binds_threads()) {
    std::vector<std::vector<int>> on_host;
    size_t place = 0;
    for (size_t r = 0; r < hosts.size(); ++r) {
      if (static_cast<int>(r) == comm.rank()) place = on_host.size();
      if (hosts[r] == hosts[static_cast<size_t>(comm.rank())]) on_host.push_back(cpus[r]);
    }
    asked = fair_threads(on_host, place, cgroup_cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
  }
  if (asked > 0) at::set_num_threads(static_cast<int>(asked));
  const std::vector<RankCpus> ranks = dist::gather(comm, own);
  if (openmp_binds_threads() || comm.rank() != 0) return;
  const std::string warning = threads_warning(ranks, cpus, hosts, source);
  if (!warning.empty()) log::warning(warning);
}

}  // namespace xkde::recipe
