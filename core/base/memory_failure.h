#ifndef XKDE_CORE_BASE_MEMORY_FAILURE_H_
#define XKDE_CORE_BASE_MEMORY_FAILURE_H_

#include <exception>
#include <optional>
#include <string>

namespace xkde {

/// One line on what was asked for where `error` says that the host or a device has no memory for
/// it, or the system no thread: std::bad_alloc, std::system_error and the words of LibTorch and
/// CUDA. Nothing for any other error, xkde::Error among them.
std::optional<std::string> memory_failure(const std::exception& error);

}  // namespace xkde

#endif  // XKDE_CORE_BASE_MEMORY_FAILURE_H_
