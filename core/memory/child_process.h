#ifndef XKDE_CORE_MEMORY_CHILD_PROCESS_H_
#define XKDE_CORE_MEMORY_CHILD_PROCESS_H_

#include <cstdint>
#include <functional>
#include <string>

namespace xkde {

/// What a child process may take beyond what this process has.
struct ChildLimits {
  int64_t bytes = int64_t{1} << 30;  ///< of address space
  int64_t seconds = 10;              ///< of processor time
  int64_t clock_seconds = 100;       ///< until it ends, be it that it waits
};

/// Tries `work`, which hands bytes of others to a library that may not survive them, in a process
/// of its own. Returns when `work` is safe to be done by the caller, which then meets its other
/// exceptions. Throws what DataError `work` throws, and DataError "<name>: expected what <library>
/// can read, found ..." when a signal or a limit ended it. Throws MemoryError where the host, and
/// not `limits`, gives no more memory or no process.
/// Only the calling thread is in the child: `work` must not wait for another one. What it changes
/// in memory is lost. Signals that ask this process to stop do not reach it, and it dies with its
/// parent.
void try_in_child(const std::string& name, const std::string& library,
                  const std::function<void()>& work, const ChildLimits& limits = {});

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_CHILD_PROCESS_H_
