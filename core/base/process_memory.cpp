#include "core/base/process_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include <unistd.h>

#include "core/base/error.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

/// The number in a limit file; kNoLimit for "max" and where there is no such file.
int64_t limit_in(const fs::path& file) {
  std::ifstream stream(file);
  int64_t bytes = 0;
  return stream >> bytes ? bytes : kNoLimit;
}

/// The lowest limit of `group` (a path from the hierarchy's root) and of its parents. In a
/// container the path may be that of the host, where only the root can be seen.
int64_t lowest_limit(const fs::path& hierarchy, const fs::path& group, const char* name) {
  int64_t lowest = limit_in(hierarchy / name);
  fs::path folder = hierarchy;
  for (const fs::path& part : group.relative_path()) {
    folder /= part;
    lowest = std::min(lowest, limit_in(folder / name));
  }
  return lowest;
}

}  // namespace

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0;
  int64_t resident = 0;
  if (!(file >> size >> resident)) return 0;
  return resident * ::sysconf(_SC_PAGE_SIZE);
}

int64_t peak_resident_bytes() {
  // getrusage() has a peak too, which no reset reaches.
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("VmHWM:")) return int64_t{1024} * std::stoll(line.substr(6));
  }
  return 0;
}

void reset_peak_resident_bytes() { std::ofstream("/proc/self/clear_refs") << "5\n"; }

int64_t cgroup_memory_limit(const fs::path& membership, const fs::path& root) {
  int64_t lowest = kNoLimit;
  std::ifstream file(membership);
  std::string line;  // "hierarchy:controllers:path", version 2 has no controllers
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = concat(',', line.substr(first + 1, second - first - 1), ',');
    const fs::path group = line.substr(second + 1);
    if (controllers == ",,") {
      lowest = std::min(lowest, lowest_limit(root, group, "memory.max"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      lowest = std::min(lowest, lowest_limit(root / "memory", group, "memory.limit_in_bytes"));
    }
  }
  return lowest;
}

int64_t host_memory_bytes() {
  const int64_t physical =
      static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGE_SIZE);
  return std::min(physical, cgroup_memory_limit("/proc/self/cgroup", "/sys/fs/cgroup"));
}

}  // namespace xkde
