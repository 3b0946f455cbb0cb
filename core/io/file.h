#ifndef XKDE_CORE_IO_FILE_H_
#define XKDE_CORE_IO_FILE_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace xkde {

/// How a file is opened. kUpdate, kCreate, kReplace and kLock follow no symbolic link.
enum class OpenMode {
  kRead,     ///< to read; the file must be there. Never waits for a FIFO's writer
  kUpdate,   ///< to read and write; the file must be there
  kCreate,   ///< to read and write; the file must not be there
  kReplace,  ///< to write; the file is made or emptied
  kAppend,   ///< to write at its end; the file is made where there is none
  kKeep,     ///< to read and write; the file is made where there is none
  kLock,     ///< as kKeep, for a file that only carries a lock
};

/// Who may hold a lock beside this handle: nobody, or others that share it.
enum class LockKind { kExclusive, kShared };

/// What the system says of an open file.
struct FileStatus {
  int64_t bytes = 0;
  bool is_regular = false;
  const char* kind = "";  ///< "a file", "a folder", "a FIFO", "a device" and so on
};

/// An open file or folder: the only home of the system's calls that open, read, write and sync
/// files. A call that a signal interrupts is made again, and a short read or write is continued.
/// All members that can fail throw IoError (path, what was expected, the system's words), a full
/// disk among them. Move-only; the destructor closes the file and never throws.
class FileHandle {
 public:
  FileHandle() = default;  ///< not open
  /// A file that is made may be read and written by all whom the umask leaves.
  static FileHandle open(const std::filesystem::path& path, OpenMode mode);
  /// Like open(), but returns a handle that is not open where the system refuses; errno says why.
  static FileHandle try_open(const std::filesystem::path& path, OpenMode mode);
  FileHandle(FileHandle&& other) noexcept;
  FileHandle& operator=(FileHandle&& other) noexcept;
  ~FileHandle();

  bool is_open() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }  ///< for calls that have no member here
  const std::filesystem::path& path() const noexcept { return path_; }
  FileStatus status() const;

  /// Writes all bytes where the file stands: at its end with kAppend.
  void write_all(std::string_view bytes) const;
  /// Writes all bytes from byte `offset` on.
  void pwrite_all(std::string_view bytes, int64_t offset) const;
  /// Reads what comes next, at most the size of `out`. Returns 0 only at the end of the file.
  size_t read_some(std::span<char> out) const;
  /// Reads from byte `offset` on, at most the size of `out`. Returns 0 only at the end of the file.
  size_t pread_some(std::span<char> out, int64_t offset) const;
  /// Fills `out` from byte `offset` on. A file that ends before is an error.
  void pread_all(std::span<char> out, int64_t offset) const;

  void sync() const;       ///< waits until content and size are durable
  void sync_data() const;  ///< like sync(), without what only describes the file
  void truncate(int64_t bytes) const;
  /// Sets disk space aside, so that a full disk is found early. Does nothing where the file system
  /// cannot.
  void reserve(int64_t bytes) const;
  /// Takes a lock (flock) that ends with the handle. Returns false when another handle holds it.
  [[nodiscard]] bool try_lock(LockKind kind) const;
  /// Lets writes pass by the page cache (O_DIRECT), which then takes whole aligned blocks only.
  /// Does nothing where the file system refuses; one that refuses later, at a write, ends it too.
  void start_direct() const noexcept;
  void stop_direct() const;
  /// Closes the file and reports what the destructor would hide.
  void close();

 private:
  bool is_direct() const noexcept;

  std::filesystem::path path_;
  int fd_ = -1;
};

/// Renames a file or folder within one file system; a file that is `to` is replaced. Throws
/// IoError.
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);

/// Gives two files or folders of one file system each other's name, in one step. Returns false, and
/// changes nothing, where the file system cannot. Throws IoError.
[[nodiscard]] bool exchange_files(const std::filesystem::path& one,
                                  const std::filesystem::path& other);

/// Removes a file or a link, or a folder with all that it holds. Does nothing where there is
/// nothing. Throws IoError.
void remove_tree(const std::filesystem::path& path);
/// The same, for a clean-up that must not fail. Returns false where something stays.
bool try_remove_tree(const std::filesystem::path& path) noexcept;

/// Makes what was written to an existing file or folder durable. Throws IoError.
void sync_path(const std::filesystem::path& path);

/// Makes the name of a file durable: syncs the folder that holds it. Throws IoError.
void sync_folder_of(const std::filesystem::path& path);

/// The content of a regular file; "" when it is not there. Throws IoError.
std::string text_of_file(const std::filesystem::path& path);

}  // namespace xkde

#endif  // XKDE_CORE_IO_FILE_H_
