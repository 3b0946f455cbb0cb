#ifndef XKDE_CORE_IO_JOURNAL_H_
#define XKDE_CORE_IO_JOURNAL_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace xkde {

/// A file of entries that only grows at its end: an entry is there whole or not at all, whenever
/// the process is killed, and what append() has returned from is durable. An entry is
///   "XKDEJRN1", u64 length, 16 hexadecimal digits of the SHA-256 of these 16 bytes, 32 of the
///   payload's, payload
/// in little endian. Who appends holds the file's lock (flock), who reads shares it. Move-only.
class Journal {
 public:
  enum class Use { kAppend, kRead };
  using Visit = std::function<void(std::string_view payload)>;

  /// Opens the file, which kAppend makes where there is none, and which kRead takes for an empty
  /// one then. Shows `visit` all whole entries in order. What follows the last whole one, an entry
  /// that was cut off, is no entry, and kAppend cuts it away with a warning. Throws DataError when
  /// an entry is damaged that others follow, IoError when another process has the file, or on a
  /// failure of the system.
  Journal(std::filesystem::path path, Use use, const Visit& visit);
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&& other) noexcept;
  ~Journal();

  /// After an IoError the journal is as it was.
  void append(std::string_view payload);
  /// Takes all entries away, durably.
  void clear();
  int64_t bytes() const noexcept { return bytes_; }

 private:
  void lock(Use use) const;
  void cut(int64_t bytes) const;

  std::filesystem::path path_;
  int file_ = -1;
  int64_t bytes_ = 0;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_JOURNAL_H_
