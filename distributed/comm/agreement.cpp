#include "distributed/comm/agreement.h"

#include <filesystem>
#include <new>

#include "core/base/error.h"

namespace xkde::dist {
namespace {

// First letters of a rank's message.
constexpr char kDone = 'd';
constexpr char kConfig = 'r';
constexpr char kIo = 'i';
constexpr char kCheckpoint = 'c';
constexpr char kMemory = 'm';
constexpr char kNumeric = 'n';
constexpr char kCopies = 'k';
constexpr char kOther = 'o';

std::string run(const std::function<std::string()>& local) {
  try {
    return kDone + local();
  } catch (const ConfigError& error) {
    return kConfig + std::string(error.what());
  } catch (const IoError& error) {
    return kIo + std::string(error.what());
  } catch (const CheckpointError& error) {
    return kCheckpoint + std::string(error.what());
  } catch (const MemoryError& error) {
    return kMemory + std::string(error.what());
  } catch (const NumericError& error) {
    return kNumeric + std::string(error.what());
  } catch (const CopiesError& error) {
    return kCopies + std::string(error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    return kIo + std::string(error.what());
  } catch (const std::bad_alloc&) {
    return kMemory + std::string("out of memory in a checkpoint");
  } catch (const std::exception& error) {
    return kOther + std::string(error.what());
  }
}

void rethrow(const std::string& message) {
  const std::string what = message.substr(1);
  switch (message[0]) {
    case kConfig:
      throw ConfigError(what);
    case kIo:
      throw IoError(what);
    case kCheckpoint:
      throw CheckpointError(what);
    case kMemory:
      throw MemoryError(what);
    case kNumeric:
      throw NumericError(what);
    case kCopies:
      throw CopiesError(what);
    default:
      throw InternalError(what);
  }
}

}  // namespace

std::vector<std::string> agree_on_bytes(Communicator& comm,
                                        const std::function<std::string()>& local) {
  std::vector<std::string> messages = comm.all_gather_bytes(run(local));
  for (std::string& message : messages) {
    XKDE_CHECK(!message.empty(), InternalError, "checkpoint: a rank sent no message");
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
