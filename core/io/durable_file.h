#ifndef XKDE_CORE_IO_DURABLE_FILE_H_
#define XKDE_CORE_IO_DURABLE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "core/io/file.h"
#include "core/io/sha256.h"

namespace xkde {

/// What the manifest says of a file.
struct FileRecord {
  std::string name;  ///< without folders
  int64_t bytes = 0;
  std::string sha256;
};

/// A file that is hashed from its start to its end while it is written. All members throw IoError
/// (path, what failed, the system's words), on a full disk too.
class DurableFile {
 public:
  /// A new file. Fails when the path exists.
  static DurableFile create(const std::filesystem::path& path);
  /// A file that another library has just written.
  static DurableFile reopen(const std::filesystem::path& path);
  void append(const void* data, size_t bytes);  ///< over what the file may hold there
  /// Goes on to byte `end`, or to the end of the file, and leaves what is there as it is.
  void keep_until(int64_t end);
  void keep_rest();
  /// Waits until the content is durable and closes the file. Its folder is not synced.
  FileRecord finish();

 private:
  explicit DurableFile(FileHandle file) : file_(std::move(file)) {}
  FileHandle file_;
  Sha256 hash_;
  int64_t position_ = 0;
};

FileRecord write_durable(const std::filesystem::path& path, std::string_view text);

/// Puts `from` in the place of `to`, which may exist as a non-empty folder and is removed then.
/// There is no moment without a `to` where the file system can exchange two names. Throws IoError.
void replace_folder(const std::filesystem::path& from, const std::filesystem::path& to);

/// Throws IoError naming path, bytes needed and available unless 1.05 * `bytes` are free in the
/// file system of `folder`.
void check_free_space(const std::filesystem::path& folder, int64_t bytes);

}  // namespace xkde

#endif  // XKDE_CORE_IO_DURABLE_FILE_H_
