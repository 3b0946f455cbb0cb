#ifndef XKDE_CORE_BASE_HOST_NAME_H_
#define XKDE_CORE_BASE_HOST_NAME_H_

#include <array>
#include <string>

#include <unistd.h>

namespace xkde {

/// This host's name as the system tells it. Names may repeat in a cluster.
inline std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace xkde

#endif  // XKDE_CORE_BASE_HOST_NAME_H_
