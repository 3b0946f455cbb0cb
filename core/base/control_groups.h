#ifndef XKDE_CORE_BASE_CONTROL_GROUPS_H_
#define XKDE_CORE_BASE_CONTROL_GROUPS_H_

#include <cstdint>
#include <filesystem>

namespace xkde {

// What the control groups (version 1 or 2) around a process let it and the others in them use.
// `membership` is a file like /proc/self/cgroup. The limits of the groups that it names, and of
// those above them, are read under `root` (/sys/fs/cgroup); the lowest one holds.

/// Bytes of memory; the largest int64 when there is no limit.
int64_t cgroup_memory_limit(const std::filesystem::path& membership,
                            const std::filesystem::path& root);

/// CPUs that may be busy at a time on average, such as 2.5; infinity when there is no limit.
double cgroup_cpu_quota(const std::filesystem::path& membership, const std::filesystem::path& root);

}  // namespace xkde

#endif  // XKDE_CORE_BASE_CONTROL_GROUPS_H_
