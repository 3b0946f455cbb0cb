#include "core/io/file_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>

#include <sys/stat.h>

#include "core/base/error.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPieceBytes = size_t{1} << 16;

bool means_absent(int error) { return error == ENOENT || error == ENOTDIR; }

[[noreturn]] void fail(const fs::path& path, FileOrigin origin, const std::string& what) {
  const std::string line = path.string() + ": " + what;
  if (origin == FileOrigin::kInput) throw MissingInputError(line);
  throw IoError(line);
}

/// What `read` returns; its IoError is the error of the file's origin.
template <typename Read>
auto reading(FileOrigin origin, const Read& read) {
  try {
    return read();
  } catch (const IoError& error) {
    if (origin == FileOrigin::kInput) throw MissingInputError(error.what());
    throw;
  }
}

using StatusCall = int (*)(const char* path, struct stat* info);

/// Nothing where the path is absent.
std::optional<struct stat> status_of(const fs::path& path, FileOrigin origin, StatusCall call) {
  struct stat info {};
  int error = 0;
  do {
    error = call(path.c_str(), &info) == 0 ? 0 : errno;
  } while (error == EINTR);
  if (error == 0) return info;
  if (means_absent(error)) return std::nullopt;
  fail(path, origin,
       concat("expected to find out whether it is there, found ", std::strerror(error)));
}

PathKind kind_of(const std::optional<struct stat>& info) {
  if (!info) return PathKind::kNothing;
  if (S_ISREG(info->st_mode)) return PathKind::kFile;
  if (S_ISDIR(info->st_mode)) return PathKind::kFolder;
  return S_ISLNK(info->st_mode) ? PathKind::kLink : PathKind::kOther;
}

std::string text_of(const FileHandle& file, int64_t max_bytes) {
  const int64_t expected = file.status().bytes;
  const auto check = [&](int64_t bytes) {
    XKDE_CHECK(bytes <= max_bytes, DataError, file.path().string(), ": expected at most ",
               max_bytes, " bytes, found ", bytes);
  };
  check(expected);
  // A file of the system may say 0, and a file may grow: the end is where a read finds nothing.
  std::string text(static_cast<size_t>(expected) + 1, '\0');
  size_t size = 0;
  while (const size_t got = file.read_some(std::span(text).subspan(size))) {
    size += got;
    check(static_cast<int64_t>(size));
    if (size == text.size()) text.resize(size + kPieceBytes);
  }
  text.resize(size);
  return text;
}

}  // namespace

PathKind kind_at(const fs::path& path, FileOrigin origin) {
  return kind_of(status_of(path, origin, ::stat));
}

PathKind kind_of_name(const fs::path& path, FileOrigin origin) {
  return kind_of(status_of(path, origin, ::lstat));
}

void refuse_taken(const fs::path& path, const std::string& expected) {
  const PathKind kind = kind_of_name(path, FileOrigin::kOwn);
  const char* found = "something else";
  if (kind == PathKind::kFile) found = "a file";
  if (kind == PathKind::kFolder) found = "a folder with files";
  if (kind == PathKind::kLink) found = "a link";
  throw IoError(concat(path.string(), ": expected ", expected, ", found ", found,
                       "; nothing is replaced, name another"));
}

bool is_there(const fs::path& path, FileOrigin origin) {
  return kind_at(path, origin) != PathKind::kNothing;
}

bool is_folder(const fs::path& path, FileOrigin origin) {
  return kind_at(path, origin) == PathKind::kFolder;
}

bool is_same_place(const fs::path& one, const fs::path& other, FileOrigin origin) {
  const auto first = status_of(one, origin, ::stat);
  const auto second = status_of(other, origin, ::stat);
  return first && second && first->st_dev == second->st_dev && first->st_ino == second->st_ino;
}

std::vector<fs::path> entries_of(const fs::path& folder, FileOrigin origin) {
  std::vector<fs::path> entries;
  std::error_code error;
  do {  // again from the beginning where a signal interrupts
    entries.clear();
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error))
      entries.push_back(entry->path());
  } while (error == std::errc::interrupted);
  if (error) fail(folder, origin, "expected a folder that can be read, found " + error.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::optional<FileHandle> open_if_there(const fs::path& path, FileOrigin origin) {
  FileHandle file = FileHandle::try_open(path, OpenMode::kRead);
  if (!file.is_open()) {
    const int error = errno;
    if (means_absent(error)) return std::nullopt;
    fail(path, origin, concat("expected to open it, found ", std::strerror(error)));
  }
  const FileStatus status = reading(origin, [&] { return file.status(); });
  if (!status.is_regular)
    fail(path, origin, concat("expected a regular file, found ", status.kind));
  return file;
}

FileHandle open_to_read(const fs::path& path, FileOrigin origin) {
  std::optional<FileHandle> file = open_if_there(path, origin);
  if (!file) fail(path, origin, "expected a file, found none");
  return std::move(*file);
}

std::optional<std::string> text_if_there(const fs::path& path, FileOrigin origin,
                                         int64_t max_bytes) {
  const std::optional<FileHandle> file = open_if_there(path, origin);
  if (!file) return std::nullopt;
  return reading(origin, [&] { return text_of(*file, max_bytes); });
}

std::string read_text(const fs::path& path, FileOrigin origin, int64_t max_bytes) {
  const FileHandle file = open_to_read(path, origin);
  return reading(origin, [&] { return text_of(file, max_bytes); });
}

std::optional<LineReader> LineReader::open_if_there(const fs::path& path, FileOrigin origin,
                                                    int64_t from) {
  std::optional<FileHandle> file = xkde::open_if_there(path, origin);
  if (!file) return std::nullopt;
  return LineReader(std::move(*file), origin, from);
}

bool LineReader::fill() {
  buffer_.resize(kPieceBytes);
  const size_t got = reading(origin_, [&] { return file_.pread_some(buffer_, position_); });
  buffer_.resize(got);
  position_ += static_cast<int64_t>(got);
  at_ = 0;
  return got > 0;
}

bool LineReader::next(std::string& line) {
  line.clear();
  is_whole_ = false;
  while (!is_whole_ && (at_ < buffer_.size() || fill())) {
    const size_t feed = buffer_.find('\n', at_);
    is_whole_ = feed != std::string::npos;
    const size_t size = std::min(feed, buffer_.size()) - at_;
    line.append(buffer_, at_, size);
    at_ += size + (is_whole_ ? 1 : 0);
    XKDE_CHECK(std::ssize(line) <= kMostTextBytes, DataError, file_.path().string(), ": line ",
               number_ + 1, ": expected at most ", kMostTextBytes, " bytes, found more");
  }
  if (line.empty() && !is_whole_) return false;
  end_ += std::ssize(line) + (is_whole_ ? 1 : 0);
  ++number_;
  return true;
}

}  // namespace xkde
