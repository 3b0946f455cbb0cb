#ifndef XKDE_CORE_BASE_HOST_THREADS_H_
#define XKDE_CORE_BASE_HOST_THREADS_H_

#include <algorithm>
#include <cstdint>
#include <thread>

namespace xkde {

/// The threads of each of `processes` on this host: `asked`, or an equal share of the cores where
/// that is 0; at least one.
inline int threads_of_process(int64_t asked, int processes) {
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  return asked > 0 ? static_cast<int>(asked) : std::max(1, cores / processes);
}

}  // namespace xkde

#endif  // XKDE_CORE_BASE_HOST_THREADS_H_
