#include "core/base/control_groups.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

/// A group around the process.
struct Group {
  bool is_version_2 = false;
  fs::path folder;  ///< its files
};

/// The groups of `controller`, each after those that hold it. In a container the path of a group
/// may be that of the host, where only the hierarchy's root can be seen.
std::vector<Group> groups_of(const std::string& controller, const fs::path& membership,
                             const fs::path& root) {
  std::vector<Group> groups;
  std::ifstream file(membership);
  std::string line;  // "hierarchy:controllers:path", version 2 has no controllers
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = concat(',', line.substr(first + 1, second - first - 1), ',');
    const bool is_version_2 = controllers == ",,";
    if (!is_version_2 && controllers.find(',' + controller + ',') == std::string::npos) continue;
    fs::path folder = is_version_2 ? root : root / controller;
    groups.push_back({is_version_2, folder});
    for (const fs::path& part : fs::path(line.substr(second + 1)).relative_path()) {
      folder /= part;
      groups.push_back({is_version_2, folder});
    }
  }
  return groups;
}

/// The lowest of what `limit_in` finds in the groups' folders.
template <typename Number>
Number lowest(const std::vector<Group>& groups, Number none,
              const std::function<Number(const Group&)>& limit_in) {
  for (const Group& group : groups) none = std::min(none, limit_in(group));
  return none;
}

/// The number in a file; `none` for a word such as "max" and where there is no such file.
int64_t number_in(const fs::path& file, int64_t none) {
  std::ifstream stream(file);
  int64_t number = 0;
  return stream >> number ? number : none;
}

double quota_of(const Group& group) {
  int64_t micros = -1;  // of every period; below 0 is no limit
  int64_t period = 0;
  if (group.is_version_2) {
    std::ifstream stream(group.folder / "cpu.max");
    if (!(stream >> micros >> period)) micros = -1;
  } else {
    micros = number_in(group.folder / "cpu.cfs_quota_us", -1);
    period = number_in(group.folder / "cpu.cfs_period_us", 0);
  }
  if (micros <= 0 || period <= 0) return std::numeric_limits<double>::infinity();
  return static_cast<double>(micros) / static_cast<double>(period);
}

}  // namespace

int64_t cgroup_memory_limit(const fs::path& membership, const fs::path& root) {
  constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  return lowest<int64_t>(groups_of("memory", membership, root), kNone, [](const Group& group) {
    const char* const name = group.is_version_2 ? "memory.max" : "memory.limit_in_bytes";
    return number_in(group.folder / name, kNone);
  });
}

double cgroup_cpu_quota(const fs::path& membership, const fs::path& root) {
  return lowest<double>(groups_of("cpu", membership, root), std::numeric_limits<double>::infinity(),
                        quota_of);
}

}  // namespace xkde
