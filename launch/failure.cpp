#include "launch/failure.h"

#include <exception>
#include <filesystem>
#include <new>

#include "core/base/error.h"

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
  } catch (const std::bad_alloc&) {
    return {static_cast<int>(ExitCode::kOutOfMemory), "MemoryError",
            "out of host memory; a smaller sft.max_tokens_per_pack or more ranks need less"};
  } catch (const std::filesystem::filesystem_error& error) {
    return {static_cast<int>(ExitCode::kIo), "IoError", description_of(error)};
  } catch (const std::exception& error) {
    const std::string what = error.what();
    const std::string line = what.substr(0, what.find('\n'));
    const bool memory = what.find("out of memory") != std::string::npos ||
                        what.find("not enough memory") != std::string::npos;
    if (memory) return {static_cast<int>(ExitCode::kOutOfMemory), "MemoryError", line};
    return {static_cast<int>(ExitCode::kInternal), "InternalError", line};
  }
}

}  // namespace xkde
