#ifndef XKDE_CORE_BASE_ERROR_H_
#define XKDE_CORE_BASE_ERROR_H_

#include <source_location>
#include <sstream>
#include <stdexcept>
#include <string>

namespace xkde {

/// Process exit codes, a contract with scripts and schedulers (docs/architecture.md).
enum class ExitCode : int {
  kDone = 0,
  kUsage = 64,         ///< bad command line
  kBadData = 65,       ///< a data or model file is malformed
  kMissingInput = 66,  ///< a file that the recipe names is not there
  kNoDevice = 69,      ///< no usable GPU, NCCL or MPI
  kInternal = 70,      ///< a bug
  kOutOfMemory = 71,   ///< host or device memory
  kIo = 74,            ///< disk full or I/O error while writing
  kStopped = 75,       ///< stopped on request with a checkpoint saved
  kBadRecipe = 78,     ///< a recipe with mistakes, or one that does not fit
  kDiverged = 80,      ///< a loss, gradient norm, weight or logit is not finite
  kPeerLost = 81,      ///< a peer died or a collective timed out
  kNoCheckpoint = 82,  ///< no verifiable checkpoint
  kCopiesDiffer = 83,  ///< copies of the model that must be equal are not: damaged memory
};

/// Base of every error that this program raises on purpose. The message is one line that names the
/// file or place, what was expected and what was found.
class Error : public std::runtime_error {
 public:
  Error(const std::string& what, ExitCode code,
        std::source_location origin = std::source_location::current())
      : std::runtime_error(what), code_(code), origin_(origin) {}
  ExitCode exit_code() const noexcept { return code_; }
  const std::source_location& origin() const noexcept { return origin_; }
  /// "DataError" and so on, for the one line that a user sees.
  virtual const char* kind() const noexcept { return "Error"; }

 private:
  ExitCode code_;
  std::source_location origin_;
};

#define XKDE_DEFINE_ERROR_(Name, code)                                           \
  class Name : public Error {                                                    \
   public:                                                                       \
    explicit Name(const std::string& what,                                       \
                  std::source_location origin = std::source_location::current()) \
        : Error(what, code, origin) {}                                           \
    const char* kind() const noexcept override { return #Name; }                 \
  }

XKDE_DEFINE_ERROR_(UsageError, ExitCode::kUsage);
XKDE_DEFINE_ERROR_(ConfigError, ExitCode::kBadRecipe);
XKDE_DEFINE_ERROR_(DataError, ExitCode::kBadData);
XKDE_DEFINE_ERROR_(MissingInputError, ExitCode::kMissingInput);
XKDE_DEFINE_ERROR_(DeviceError, ExitCode::kNoDevice);
XKDE_DEFINE_ERROR_(InternalError, ExitCode::kInternal);
XKDE_DEFINE_ERROR_(MemoryError, ExitCode::kOutOfMemory);
XKDE_DEFINE_ERROR_(IoError, ExitCode::kIo);
XKDE_DEFINE_ERROR_(StopRequested, ExitCode::kStopped);
XKDE_DEFINE_ERROR_(NumericError, ExitCode::kDiverged);
XKDE_DEFINE_ERROR_(CommError, ExitCode::kPeerLost);
XKDE_DEFINE_ERROR_(CheckpointError, ExitCode::kNoCheckpoint);
XKDE_DEFINE_ERROR_(CopiesError, ExitCode::kCopiesDiffer);
#undef XKDE_DEFINE_ERROR_

/// The arguments written one after another with operator<<.
template <typename... Args>
std::string concat(const Args&... args) {
  std::ostringstream stream;
  (stream << ... << args);
  return stream.str();
}

}  // namespace xkde

/// Throws `ErrorType` with the remaining arguments joined, unless `condition` holds.
#define XKDE_CHECK(condition, ErrorType, ...)       \
  do {                                              \
    if (!(condition)) [[unlikely]]                  \
      throw ErrorType(::xkde::concat(__VA_ARGS__)); \
  } while (false)

#endif  // XKDE_CORE_BASE_ERROR_H_
