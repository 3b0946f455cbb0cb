#ifndef XKDE_CORE_IO_SHA256_H_
#define XKDE_CORE_IO_SHA256_H_

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace xkde {

/// A SHA-256 digest (FIPS 180-4) of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  void update(const void* data, size_t bytes);
  /// The digest of everything so far as 64 lower-case hexadecimal digits; more may follow.
  std::string hex() const;

 private:
  struct FreeContext {
    void operator()(void* context) const noexcept;
  };
  std::unique_ptr<void, FreeContext> context_;
};

std::string sha256_hex(std::string_view bytes);

/// The digest of a file, read in pieces. Throws MissingInputError when it is not there, IoError
/// when it cannot be read, StopRequested where the process was asked to stop.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace xkde

#endif  // XKDE_CORE_IO_SHA256_H_
