#include "distributed/comm/agreement.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>
#include <string_view>
#include <utility>

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

constexpr size_t kHead = 1 + sizeof(int32_t);  ///< of a failure, before its text

/// What the ranks say that failed: the first one's text, and those of others that differ.
std::string texts_of(std::span<const std::string> messages) {
  std::string all;
  std::set<std::string> told;
  int untold = 0;
  for (size_t rank = 0; rank < messages.size(); ++rank) {
    if (messages[rank][0] == kDone) continue;
    std::string text = messages[rank].substr(kHead);
    if (told.contains(text)) continue;
    if (std::ssize(told) == kMostFailures) {
      ++untold;
      continue;
    }
    all += told.empty() ? text : concat("; rank ", rank, ": ", text);
    told.insert(std::move(text));
  }
  return untold == 0 ? all : concat(all, "; and ", untold, " more ranks with other texts");
}

/// Throws the error of the first rank that failed, if one did.
void rethrow(std::span<const std::string> messages) {
  const auto failed = std::ranges::find_if(
      messages, [](const std::string& message) { return message[0] != kDone; });
  if (failed == messages.end()) return;
  const auto code = HostBytes<int32_t>::from(std::string_view(*failed).substr(1, sizeof(int32_t)));
  throw_kind<UsageError, ConfigError, DataError, MissingInputError, DeviceError, MemoryError,
             IoError, StopRequested, NumericError, CheckpointError, CopiesError>(
      static_cast<ExitCode>(code), texts_of(messages));
}

}  // namespace

std::vector<std::string> agree_on_bytes(Communicator& comm,
                                        const std::function<std::string()>& local) {
  std::vector<std::string> messages = comm.all_gather_bytes(run(local));
  for (const std::string& message : messages)
    XKDE_CHECK(!message.empty(), InternalError, "agreement: a rank sent no message");
  rethrow(messages);
  for (std::string& message : messages) message.erase(0, 1);
  return messages;
}

void agree_on(Communicator& comm, const std::function<void()>& local) {
  agree_on_bytes(comm, [&] {
    local();
    return std::string();
  });
}

}  // namespace xkde::dist
