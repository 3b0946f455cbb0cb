#ifndef XKDE_CORE_IO_JOURNAL_H_
#define XKDE_CORE_IO_JOURNAL_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "core/io/file.h"

namespace xkde {

/// A file of entries that only grows at its end. An entry is there whole or not at all, whenever
/// the process is killed; it is durable once append() has returned. An entry is, in little endian,
///   "XKDEJRN1", u64 length, 16 hexadecimal digits of the SHA-256 of these 16 bytes, 32 of the
///   payload's, payload
/// A writer holds the file's lock (flock) alone; readers share it. Move-only.
class Journal {
 public:
  enum class Use { kAppend, kRead };
  using Visit = std::function<void(std::string_view payload)>;

  /// Opens the file and shows `visit` all whole entries in order. Where there is no file, kAppend
  /// makes one and kRead sees no entries. The last entry may have been cut off by a kill: it is
  /// not shown, and kAppend cuts it away with a warning. Throws DataError when a damaged entry has
  /// others behind it, and IoError when another process has the file or the system fails.
  Journal(std::filesystem::path path, Use use, const Visit& visit);

  /// After an IoError the journal is as it was.
  void append(std::string_view payload);
  /// Removes all entries, durably.
  void clear();
  int64_t bytes() const noexcept { return bytes_; }

 private:
  void lock(Use use) const;
  void cut(int64_t bytes) const;

  FileHandle file_;  ///< not open when kRead found no file
  int64_t bytes_ = 0;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_JOURNAL_H_
