#include "launch/failure.h"

#include <exception>
#include <filesystem>
#include <new>

#include "core/base/error.h"
#include "core/base/memory_failure.h"

namespace xkde {
namespace {

/// "PATH: expected ..., found the system's words".
std::string description_of(const std::filesystem::filesystem_error& error) {
  return error.path1().string() + ": expected to reach it, found " + error.code().message();
}

}  // namespace

Failure describe_current_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return {static_cast<int>(error.exit_code()), error.kind(), error.what()};
  } catch (const std::exception& error) {
    if (const auto memory = memory_failure(error))
      return {static_cast<int>(ExitCode::kOutOfMemory), "MemoryError", *memory};
    if (const auto* files = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
      return {static_cast<int>(ExitCode::kIo), "IoError", description_of(*files)};
    const std::string what = error.what();
    return {static_cast<int>(ExitCode::kInternal), "InternalError",
            what.substr(0, what.find('\n'))};
  } catch (...) {
    return {static_cast<int>(ExitCode::kInternal), "InternalError", "an exception without words"};
  }
}

}  // namespace xkde
