#include "distributed/comm/agreement.h"

#include <filesystem>
#include <string_view>

#include "core/base/error.h"
#include "core/base/memory_failure.h"

namespace xkde::dist {
namespace {

constexpr char kDone = 'd';  ///< begins a rank's message; an error's begins with its exit code
constexpr char kFailed = 'f';

std::string failure(ExitCode code, const std::string& what) {
  return kFailed + HostBytes<int32_t>::to(static_cast<int32_t>(code)) + what;
}

std::string run(const std::function<std::string()>& local) {
  try {
    return kDone + local();
  } catch (const CommError&) {
    throw;  // there is no telling the others
  } catch (const Error& error) {
    return failure(error.exit_code(), error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    return failure(ExitCode::kIo, error.what());
  } catch (const std::exception& error) {
    if (const auto memory = memory_failure(error)) return failure(ExitCode::kOutOfMemory, *memory);
    return failure(ExitCode::kInternal, error.what());
  }
}

template <typename... Kinds>
[[noreturn]] void throw_kind(ExitCode code, const std::string& what) {
  const auto throw_one = [&]<typename Kind>(const Kind& error) {
    if (error.exit_code() == code) throw Kind(error);
  };
  (throw_one(Kinds(what)), ...);
  throw InternalError(what);
}

[[noreturn]] void rethrow(std::string_view message) {
  constexpr size_t kHead = 1 + sizeof(int32_t);
  const auto code = HostBytes<int32_t>::from(message.substr(1, sizeof(int32_t)));
  throw_kind<UsageError, ConfigError, DataError, MissingInputError, DeviceError, MemoryError,
             IoError, StopRequested, NumericError, CheckpointError, CopiesError>(
      static_cast<ExitCode>(code), std::string(message.substr(kHead)));
}

}  // namespace

std::vector<std::string> agree_on_bytes(Communicator& comm,
                                        const std::function<std::string()>& local) {
  std::vector<std::string> messages = comm.all_gather_bytes(run(local));
  for (std::string& message : messages) {
    XKDE_CHECK(!message.empty(), InternalError, "agreement: a rank sent no message");
    if (message[0] != kDone) rethrow(message);
    message.erase(0, 1);
  }
  return messages;
}

void agree_on(Communicator& comm, const std::function<void()>& local) {
  agree_on_bytes(comm, [&] {
    local();
    return std::string();
  });
}

}  // namespace xkde::dist
