#ifndef XKDE_CORE_IO_DIGEST_CACHE_H_
#define XKDE_CORE_IO_DIGEST_CACHE_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace xkde {

/// So many bytes of files a check may read, which shall be there at once.
inline constexpr int64_t kQuickBytes = int64_t{128} << 20;

/// SHA-256 digests of files, kept on disk from one start to the next, so that a file that did not
/// change is read once. A kept digest holds for a file of the same path, size, device, inode, time
/// of modification and time of change of status. Not thread-safe.
class DigestCache {
 public:
  struct Options {
    /// If false, digests of earlier starts are not read: every file is hashed anew.
    bool trust_kept = true;
    /// A file that changed less than this before it was read is not kept: the file system's clock
    /// may be too coarse to tell a later change from that one.
    std::chrono::nanoseconds settle_time = std::chrono::seconds(2);
  };

  /// Reads the digests that save() wrote into `file`. A file that is damaged is passed over with a
  /// warning; one that is not there is an empty cache.
  explicit DigestCache(std::filesystem::path file) : DigestCache(std::move(file), Options()) {}
  DigestCache(std::filesystem::path file, const Options& options);

  /// The digest of a file as sha256_of_file gives it; reads the file at most once. Throws
  /// MissingInputError or IoError.
  const std::string& digest_of(const std::filesystem::path& path);
  /// The bytes that digest_of() would read: 0 where it knows the file as it is, or there is none.
  int64_t bytes_to_read(const std::filesystem::path& path) const;
  /// A digest that follows from what `key` names: contents by their digests, and settings. `make`
  /// is called where no earlier start kept one.
  const std::string& derived(const std::string& key, const std::function<std::string()>& make);
  /// How many files were read for digest_of().
  int64_t files_read() const noexcept { return files_read_; }
  /// Writes the digests that were asked for, atomically. Throws IoError.
  void save() const;

  /// What tells one state of a file from another.
  struct FileState {
    int64_t bytes = 0;
    int64_t modified_ns = 0;  ///< since 1970
    int64_t changed_ns = 0;   ///< of the inode's status, since 1970
    uint64_t device = 0;
    uint64_t inode = 0;
    bool operator==(const FileState&) const = default;
  };

 private:
  struct Entry {
    FileState state;
    std::string sha256;
    bool may_be_kept = true;
  };
  void read();

  std::filesystem::path file_;
  int64_t settle_ns_;
  std::map<std::string, Entry> kept_;   ///< of earlier starts, by absolute path
  std::map<std::string, Entry> known_;  ///< asked for, by absolute path
  std::map<std::string, std::string> kept_derived_, derived_;  ///< by key
  int64_t files_read_ = 0;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_DIGEST_CACHE_H_
