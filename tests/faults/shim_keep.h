#ifndef XKDE_TESTS_FAULTS_SHIM_KEEP_H_
#define XKDE_TESTS_FAULTS_SHIM_KEEP_H_

#include "tests/faults/shim_plan.h"

namespace xkde::fault {

// What a power cut leaves (XKDE_FAULT_KEEP). Nothing is kept of paths that are not watched.

/// After a call that gave, changed or took away the name `path`.
void keep_name(const Path& path);
/// After a call that made a file or folder durable.
void keep_synced(int fd);

}  // namespace xkde::fault

#endif  // XKDE_TESTS_FAULTS_SHIM_KEEP_H_
