#include "core/base/process_memory.h"

#include <algorithm>
#include <fstream>
#include <string>

#include <malloc.h>
#include <unistd.h>

#include "core/base/control_groups.h"

namespace xkde {

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

void return_free_memory() { ::malloc_trim(0); }

int64_t address_space_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0;
  return file >> size ? size * ::sysconf(_SC_PAGE_SIZE) : 0;
}

int64_t host_memory_bytes() {
  const int64_t physical =
      static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGE_SIZE);
  return std::min(physical, cgroup_memory_limit("/proc/self/cgroup", "/sys/fs/cgroup"));
}

}  // namespace xkde
