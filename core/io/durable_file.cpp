#include "core/io/durable_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>
#include <vector>

#include <fcntl.h>
#include <sys/statvfs.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde {
namespace fs = std::filesystem;
namespace {

// Hashed while the processor's cache still holds what was written.
constexpr size_t kPieceBytes = size_t{1} << 20;

/// Throws IoError with the system's words unless `good`. To be called before anything changes
/// errno.
void check(bool good, const fs::path& path, const char* what) {
  XKDE_CHECK(good, IoError, path.string(), ": cannot ", what, ": ", std::strerror(errno));
}

}  // namespace

DurableFile DurableFile::create(const fs::path& path) {
  return DurableFile(FileHandle::open(path, OpenMode::kCreate));
}

DurableFile DurableFile::reopen(const fs::path& path) {
  return DurableFile(FileHandle::open(path, OpenMode::kUpdate));
}

void DurableFile::append(const void* data, size_t bytes) {
  std::string_view left(static_cast<const char*>(data), bytes);
  while (!left.empty()) {
    const std::string_view piece = left.substr(0, kPieceBytes);
    file_.pwrite_all(piece, position_);
    hash_.update(piece.data(), piece.size());
    position_ += std::ssize(piece);
    left.remove_prefix(piece.size());
  }
}

void DurableFile::keep_until(int64_t end) {
  std::vector<char> buffer(kPieceBytes);
  while (position_ < end) {
    const auto size = std::min(buffer.size(), static_cast<size_t>(end - position_));
    const std::span<char> piece = std::span(buffer).first(size);
    file_.pread_all(piece, position_);
    hash_.update(piece.data(), piece.size());
    position_ += std::ssize(piece);
  }
}

void DurableFile::keep_rest() { keep_until(file_.status().bytes); }

FileRecord DurableFile::finish() {
  file_.sync();
  file_.close();
  return {.name = file_.path().filename().string(), .bytes = position_, .sha256 = hash_.hex()};
}

FileRecord write_durable(const fs::path& path, std::string_view text) {
  DurableFile file = DurableFile::create(path);
  file.append(text.data(), text.size());
  return file.finish();
}

void replace_folder(const fs::path& from, const fs::path& to) {
  if (kind_of_name(to, FileOrigin::kOwn) == PathKind::kNothing) {
    rename_file(from, to);
    return;
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    remove_tree(from);
    return;
  }
  check(errno == EINVAL || errno == ENOSYS, to, "replace");
  const fs::path old = to.string() + ".replaced.tmp";
  rename_file(to, old);
  rename_file(from, to);
  remove_tree(old);
}

void check_free_space(const fs::path& folder, int64_t bytes) {
  struct statvfs info {};
  check(::statvfs(folder.c_str(), &info) == 0, folder, "ask for its free space");
  if (info.f_blocks == 0) return;  // ramfs does not tell
  const double available = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  const auto needed = static_cast<int64_t>(1.05 * static_cast<double>(bytes));
  XKDE_CHECK(available >= static_cast<double>(needed), IoError, folder.string(),
             ": disk full: a checkpoint needs ", needed, " bytes, available are ",
             static_cast<int64_t>(available));
}

}  // namespace xkde
