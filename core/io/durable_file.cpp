#include "core/io/durable_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/error.h"

namespace xkde {
namespace fs = std::filesystem;
namespace {

// Hashed while the processor's cache still holds what was written.
constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr mode_t kFileMode = 0640;

/// Throws IoError with the system's words unless `good`. To be called before anything changes
/// errno.
void check(bool good, const fs::path& path, const char* what) {
  XKDE_CHECK(good, IoError, path.string(), ": cannot ", what, ": ", std::strerror(errno));
}

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

int Descriptor::release() noexcept { return std::exchange(fd_, -1); }

DurableFile::DurableFile(const fs::path& path, int flags)
    : path_(path), file_(::open(path.c_str(), flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, kFileMode)) {
  check(file_.fd() >= 0, path_, "create");
}

DurableFile DurableFile::create(const fs::path& path) { return {path, O_CREAT | O_EXCL}; }

DurableFile DurableFile::reopen(const fs::path& path) {
  DurableFile file(path, 0);
  struct stat info {};
  check(::fstat(file.file_.fd(), &info) == 0, path, "inspect");
  check(::fchmod(file.file_.fd(), info.st_mode & kFileMode) == 0, path, "change the mode of");
  return file;
}

void DurableFile::append(const void* data, size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::pwrite(file_.fd(), next, std::min(bytes, kPieceBytes), position_);
    if (written < 0 && errno == EINTR) continue;
    check(written >= 0, path_, "write");
    hash_.update(next, static_cast<size_t>(written));
    next += written;
    bytes -= static_cast<size_t>(written);
    position_ += written;
  }
}

void DurableFile::keep_until(int64_t end) {
  std::vector<char> piece(kPieceBytes);
  while (position_ < end) {
    const auto want = std::min(piece.size(), static_cast<size_t>(end - position_));
    const ssize_t got = ::pread(file_.fd(), piece.data(), want, position_);
    if (got < 0 && errno == EINTR) continue;
    check(got >= 0, path_, "read");
    XKDE_CHECK(got > 0, IoError, path_.string(), ": expected ", end, " bytes, found ", position_);
    hash_.update(piece.data(), static_cast<size_t>(got));
    position_ += got;
  }
}

void DurableFile::keep_rest() {
  struct stat info {};
  check(::fstat(file_.fd(), &info) == 0, path_, "inspect");
  keep_until(info.st_size);
}

FileRecord DurableFile::finish() {
  check(::fsync(file_.fd()) == 0, path_, "sync");
  check(::close(file_.release()) == 0, path_, "close");
  return {.name = path_.filename().string(), .bytes = position_, .sha256 = hash_.hex()};
}

FileRecord write_durable(const fs::path& path, std::string_view text) {
  DurableFile file = DurableFile::create(path);
  file.append(text.data(), text.size());
  return file.finish();
}

void replace_folder(const fs::path& from, const fs::path& to) {
  if (!fs::exists(fs::symlink_status(to))) {
    check(::rename(from.c_str(), to.c_str()) == 0, to, "rename to");
    return;
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    fs::remove_all(from);
    return;
  }
  check(errno == EINVAL || errno == ENOSYS, to, "replace");
  const fs::path old = to.string() + ".replaced.tmp";
  check(::rename(to.c_str(), old.c_str()) == 0, to, "rename");
  check(::rename(from.c_str(), to.c_str()) == 0, to, "rename to");
  fs::remove_all(old);
}

void check_free_space(const fs::path& folder, int64_t bytes) {
  struct statvfs info {};
  check(::statvfs(folder.c_str(), &info) == 0, folder, "ask for its free space");
  const double available = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  const auto needed = static_cast<int64_t>(1.05 * static_cast<double>(bytes));
  XKDE_CHECK(available >= static_cast<double>(needed), IoError, folder.string(),
             ": disk full: a checkpoint needs ", needed, " bytes, available are ",
             static_cast<int64_t>(available));
}

}  // namespace xkde
