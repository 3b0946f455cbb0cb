#ifndef XKDE_CORE_IO_FILE_READER_H_
#define XKDE_CORE_IO_FILE_READER_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/io/file.h"

namespace xkde {

/// Whose file it is, and so which error it is that it cannot be read.
enum class FileOrigin {
  kInput,  ///< the user's: MissingInputError
  kOwn,    ///< this program's: IoError
};

/// More bytes than a text or a line has.
inline constexpr int64_t kMostTextBytes = int64_t{1} << 30;

// The only readers of whole files, of lines and of folders. A file is absent where the system says
// so (ENOENT, ENOTDIR) and in no other case. Every other refusal, and every read that fails, is the
// error of the file's origin, with the path and the system's words. What is no regular file (a
// folder, a FIFO, a device) is refused before a byte of it is read. A text or line beyond its limit
// is a DataError.

/// What stands at a path.
enum class PathKind { kNothing, kFile, kFolder, kLink, kOther };
/// What the path leads to, links followed: never kLink. A link that leads nowhere is kNothing.
PathKind kind_at(const std::filesystem::path& path, FileOrigin origin);
/// What has the name itself: a link is kLink, wherever it leads.
PathKind kind_of_name(const std::filesystem::path& path, FileOrigin origin);
/// Throws IoError "PATH: expected EXPECTED, found a file; nothing is replaced, name another":
/// something has the name that a command was to give to something new.
[[noreturn]] void refuse_taken(const std::filesystem::path& path, const std::string& expected);
/// Whether there is a file or folder, links followed.
bool is_there(const std::filesystem::path& path, FileOrigin origin);
/// Whether there is a folder, links followed.
bool is_folder(const std::filesystem::path& path, FileOrigin origin);
/// Whether two paths lead to one file or folder; false where one of them leads nowhere.
bool is_same_place(const std::filesystem::path& one, const std::filesystem::path& other,
                   FileOrigin origin);

/// What a folder holds, sorted.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder,
                                              FileOrigin origin);

/// A regular file, open to read; nothing where it is absent.
std::optional<FileHandle> open_if_there(const std::filesystem::path& path, FileOrigin origin);
/// The same, where an absent file is the error of its origin, too.
FileHandle open_to_read(const std::filesystem::path& path, FileOrigin origin);

/// The content of a file; nothing where it is absent.
std::optional<std::string> text_if_there(const std::filesystem::path& path, FileOrigin origin,
                                         int64_t max_bytes = kMostTextBytes);
/// The same, where an absent file is the error of its origin, too.
std::string read_text(const std::filesystem::path& path, FileOrigin origin,
                      int64_t max_bytes = kMostTextBytes);

/// What `read` returns, which takes its file for an input. Where it is this program's own, a file
/// that is absent or cannot be read is an IoError.
template <typename Read>
decltype(auto) read_as(FileOrigin origin, const Read& read) {
  try {
    return read();
  } catch (const MissingInputError& error) {
    if (origin == FileOrigin::kOwn) throw IoError(error.what());
    throw;
  }
}

/// The lines of a file, read in pieces. Move-only.
class LineReader {
 public:
  /// `from`: the byte that the first line begins at.
  LineReader(const std::filesystem::path& path, FileOrigin origin, int64_t from = 0)
      : LineReader(open_to_read(path, origin), origin, from) {}
  /// Nothing where the file is absent.
  static std::optional<LineReader> open_if_there(const std::filesystem::path& path,
                                                 FileOrigin origin, int64_t from = 0);

  /// Sets `line` to the next line, without its line feed. False at the end of the file.
  bool next(std::string& line);
  /// Whether the last line ended with a line feed. The last one of a file need not.
  bool is_whole() const noexcept { return is_whole_; }
  int64_t number() const noexcept { return number_; }  ///< of the last line, from 1
  int64_t end() const noexcept { return end_; }        ///< the byte behind the last line

 private:
  LineReader(FileHandle file, FileOrigin origin, int64_t from)
      : file_(std::move(file)), origin_(origin), position_(from), end_(from) {}
  bool fill();

  FileHandle file_;
  FileOrigin origin_;
  std::string buffer_;
  size_t at_ = 0;         ///< in the buffer, of what comes next
  int64_t position_ = 0;  ///< in the file, of the byte behind the buffer
  int64_t end_ = 0;
  int64_t number_ = 0;
  bool is_whole_ = false;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_FILE_READER_H_
