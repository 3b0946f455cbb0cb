#ifndef XKDE_CORE_BASE_HOST_NAME_H_
#define XKDE_CORE_BASE_HOST_NAME_H_

#include <string>

namespace xkde {

/// This host's name as the system tells it. Names may repeat in a cluster.
std::string host_name();

/// Which start of this host's kernel it is: the same for all its processes, and another one after
/// each start. "" where the system does not tell.
std::string boot_id();

}  // namespace xkde

#endif  // XKDE_CORE_BASE_HOST_NAME_H_
