#include "core/io/file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

struct ModeEntry {
  OpenMode mode;
  int flags;
  const char* failure;  ///< what a message says before the system's words
};

/// Of a file that is made, less the umask.
constexpr mode_t kPermissions = 0666;

constexpr std::array<ModeEntry, 7> kModes{{
    {OpenMode::kRead, O_RDONLY | O_NONBLOCK | O_NOCTTY, "expected to open it, found "},
    {OpenMode::kUpdate, O_RDWR | O_NOFOLLOW, "cannot open: "},
    {OpenMode::kCreate, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, "cannot create: "},
    {OpenMode::kReplace, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, "expected to open it, found "},
    {OpenMode::kAppend, O_WRONLY | O_CREAT | O_APPEND, "expected a file to append to, found "},
    {OpenMode::kKeep, O_RDWR | O_CREAT, "expected to open it, found "},
    {OpenMode::kLock, O_RDWR | O_CREAT | O_NOFOLLOW, "expected a lock file, found "},
}};

const ModeEntry& entry_of(OpenMode mode) {
  for (const ModeEntry& entry : kModes) {
    if (entry.mode == mode) return entry;
  }
  throw InternalError("open mode: not one of the enumerators");
}

std::string system_words() { return std::strerror(errno); }

/// The result of a system call, made again as long as signals interrupt it.
template <typename Call>
auto uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// Calls `write` with what is left until nothing is. `write` returns how much it took, or -1.
template <typename Write>
void write_pieces(const fs::path& path, std::string_view bytes, const Write& write) {
  while (!bytes.empty()) {
    const ssize_t written = uninterrupted([&] { return write(bytes); });
    XKDE_CHECK(written > 0, IoError, path.string(), ": expected to write ", bytes.size(),
               " more bytes, found ", system_words());
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

const char* kind_of(mode_t mode) {
  if (S_ISREG(mode)) return "a file";
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

FileHandle FileHandle::try_open(const fs::path& path, OpenMode mode) {
  const int flags = entry_of(mode).flags | O_CLOEXEC;
  FileHandle file;
  file.path_ = path;
  file.fd_ = uninterrupted([&] { return ::open(path.c_str(), flags, kPermissions); });
  return file;
}

FileHandle FileHandle::open(const fs::path& path, OpenMode mode) {
  FileHandle file = try_open(path, mode);
  XKDE_CHECK(file.is_open(), IoError, path.string(), ": ", entry_of(mode).failure, system_words());
  return file;
}

FileHandle::FileHandle(FileHandle&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

FileStatus FileHandle::status() const {
  struct stat info {};
  XKDE_CHECK(::fstat(fd_, &info) == 0, IoError, path_.string(),
             ": cannot inspect: ", system_words());
  return {
      .bytes = info.st_size, .is_regular = S_ISREG(info.st_mode), .kind = kind_of(info.st_mode)};
}

void FileHandle::write_all(std::string_view bytes) const {
  write_pieces(path_, bytes,
               [&](std::string_view left) { return ::write(fd_, left.data(), left.size()); });
}

void FileHandle::pwrite_all(std::string_view bytes, int64_t offset) const {
  const int64_t end = offset + std::ssize(bytes);
  write_pieces(path_, bytes, [&](std::string_view left) {
    const auto write = [&] {
      return ::pwrite(fd_, left.data(), left.size(), end - std::ssize(left));
    };
    const ssize_t written = write();
    // Some file systems accept O_DIRECT and then refuse the writes.
    if (written >= 0 || errno != EINVAL || !is_direct()) return written;
    stop_direct();
    return write();
  });
}

size_t FileHandle::read_some(std::span<char> out) const {
  const ssize_t got = uninterrupted([&] { return ::read(fd_, out.data(), out.size()); });
  XKDE_CHECK(got >= 0, IoError, path_.string(), ": cannot be read: ", system_words());
  return static_cast<size_t>(got);
}

size_t FileHandle::pread_some(std::span<char> out, int64_t offset) const {
  const ssize_t got = uninterrupted([&] { return ::pread(fd_, out.data(), out.size(), offset); });
  XKDE_CHECK(got >= 0, IoError, path_.string(), ": cannot be read: ", system_words());
  return static_cast<size_t>(got);
}

void FileHandle::pread_all(std::span<char> out, int64_t offset) const {
  const int64_t end = offset + std::ssize(out);
  while (!out.empty()) {
    const int64_t at = end - std::ssize(out);
    const size_t got = pread_some(out, at);
    XKDE_CHECK(got > 0, IoError, path_.string(), ": expected ", end, " bytes, found ", at);
    out = out.subspan(got);
  }
}

void FileHandle::sync() const {
  XKDE_CHECK(uninterrupted([&] { return ::fsync(fd_); }) == 0, IoError, path_.string(),
             ": fsync: ", system_words());
}

void FileHandle::sync_data() const {
  XKDE_CHECK(uninterrupted([&] { return ::fdatasync(fd_); }) == 0, IoError, path_.string(),
             ": fdatasync: ", system_words());
}

void FileHandle::truncate(int64_t bytes) const {
  XKDE_CHECK(uninterrupted([&] { return ::ftruncate(fd_, bytes); }) == 0, IoError, path_.string(),
             ": expected to cut it to ", bytes, " bytes, found ", system_words());
}

void FileHandle::reserve(int64_t bytes) const {
  if (bytes == 0) return;
  const int status = uninterrupted([&] { return ::fallocate(fd_, 0, 0, bytes); });
  XKDE_CHECK(status == 0 || errno == EOPNOTSUPP || errno == ENOSYS, IoError, path_.string(),
             ": cannot reserve space for: ", system_words());
}

bool FileHandle::try_lock(LockKind kind) const {
  const int operation = kind == LockKind::kExclusive ? LOCK_EX : LOCK_SH;
  const bool locked = uninterrupted([&] { return ::flock(fd_, operation | LOCK_NB); }) == 0;
  XKDE_CHECK(locked || errno == EWOULDBLOCK, IoError, path_.string(), ": flock: ", system_words());
  return locked;
}

bool FileHandle::is_direct() const noexcept { return (::fcntl(fd_, F_GETFL) & O_DIRECT) != 0; }

void FileHandle::start_direct() const noexcept {
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags >= 0) ::fcntl(fd_, F_SETFL, flags | O_DIRECT);
}

void FileHandle::stop_direct() const {
  const int flags = ::fcntl(fd_, F_GETFL);
  XKDE_CHECK(flags >= 0 && ::fcntl(fd_, F_SETFL, flags & ~O_DIRECT) == 0, IoError, path_.string(),
             ": cannot change the flags of: ", system_words());
}

void FileHandle::close() {
  XKDE_CHECK(::close(std::exchange(fd_, -1)) == 0, IoError, path_.string(),
             ": cannot close: ", system_words());
}

void rename_file(const fs::path& from, const fs::path& to) {
  XKDE_CHECK(std::rename(from.c_str(), to.c_str()) == 0, IoError, to.string(),
             ": expected to rename ", from.filename().string(), " to it, found ", system_words());
}

bool exchange_files(const fs::path& one, const fs::path& other) {
  if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0)
    return true;
  const bool is_unknown = errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
  XKDE_CHECK(is_unknown, IoError, other.string(), ": expected to exchange it with ",
             one.filename().string(), ", found ", system_words());
  return false;
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  do {
    fs::remove_all(path, error);
  } while (error == std::errc::interrupted);
  XKDE_CHECK(!error, IoError, path.string(), ": expected to remove it, found ", error.message());
}

bool try_remove_tree(const fs::path& path) noexcept {
  try {
    remove_tree(path);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void sync_path(const fs::path& path) { FileHandle::open(path, OpenMode::kRead).sync(); }

void sync_folder_of(const fs::path& path) {
  const fs::path folder = path.parent_path();
  sync_path(folder.empty() ? "." : folder);
}

std::string text_of_file(const fs::path& path) {
  return text_if_there(path, FileOrigin::kOwn).value_or("");
}

}  // namespace xkde
