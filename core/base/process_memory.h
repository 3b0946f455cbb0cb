#ifndef XKDE_CORE_BASE_PROCESS_MEMORY_H_
#define XKDE_CORE_BASE_PROCESS_MEMORY_H_

#include <cstdint>

namespace xkde {

/// Bytes of this process in memory now, mapped files included (VmRSS); 0 where /proc is not there.
int64_t resident_bytes();
/// The most that resident_bytes() has been, since the last reset.
int64_t peak_resident_bytes();
/// The peak starts again at resident_bytes(), where the kernel lets it.
void reset_peak_resident_bytes();

/// Gives the system back what was freed, but lies between blocks that are in use. It takes
/// milliseconds: for after what allocates much in small blocks.
void return_free_memory();

/// Bytes of addresses that this process has mapped, in memory or not; 0 where /proc is not there.
int64_t address_space_bytes();

/// Bytes that the processes of this host may use together: the physical memory or, where it is
/// less, the lowest memory limit of the control groups around this process.
int64_t host_memory_bytes();

}  // namespace xkde

#endif  // XKDE_CORE_BASE_PROCESS_MEMORY_H_
