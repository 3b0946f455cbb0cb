#include "core/io/atomic_file.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "core/base/error.h"

namespace xkde {
namespace {

/// An open file descriptor.
class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags, mode_t mode = 0)
      : path_(path), value_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
    XKDE_CHECK(value_ >= 0, IoError, path.string(), ": expected to open it, found ",
               std::strerror(errno));
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void write_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(value_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      XKDE_CHECK(written >= 0, IoError, path_.string(), ": expected to write ", bytes.size(),
                 " more bytes, found ", std::strerror(errno));
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  }
  void sync() const {
    XKDE_CHECK(::fsync(value_) == 0, IoError, path_.string(), ": fsync: ", std::strerror(errno));
  }

 private:
  std::filesystem::path path_;
  int value_;
};

void rename_to(const std::filesystem::path& finished, const std::filesystem::path& path) {
  XKDE_CHECK(::rename(finished.c_str(), path.c_str()) == 0, IoError, path.string(),
             ": expected to rename a finished file to it, found ", std::strerror(errno));
}

void sync_folder_of(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  sync_path(folder.empty() ? "." : folder);
}

}  // namespace

void sync_path(const std::filesystem::path& path) { Descriptor(path, O_RDONLY).sync(); }

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path temporary = path.string() + ".tmp" + std::to_string(::getpid());
  try {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    file.write_all(bytes);
    file.sync();
    rename_to(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder_of(path);
}

void replace_file(const std::filesystem::path& finished, const std::filesystem::path& path) {
  sync_path(finished);
  rename_to(finished, path);
  sync_folder_of(path);
}

}  // namespace xkde
