#include "tests/faults/shim_keep.h"

#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace xkde::fault {
namespace {

std::recursive_mutex g_keeping;  // one event at a time

std::string name_of_file(const char* path) {
  struct statx info {};
  if (::statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME | STATX_TYPE, &info) !=
      0)
    return "";
  char text[80];
  std::snprintf(text, sizeof text, "%s%llu-%lld.%u", S_ISDIR(info.stx_mode) ? "d" : "",
                static_cast<unsigned long long>(info.stx_ino),
                static_cast<long long>(info.stx_btime.tv_sec), info.stx_btime.tv_nsec);
  return text;
}

void write_event(const std::string& line) {
  const std::string path = std::string(folder_to_keep()) + "/events";
  const int fd = NEXT(open)(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = NEXT(write)(fd, line.data(), line.size());
  NEXT(close)(fd);
}

std::string next_number() {
  static long number = 0;  // under g_keeping
  return std::to_string(number++);
}

bool keeps(const Path& path) { return folder_to_keep() != nullptr && is_watched(path); }

void keep_folder(const char* letter, const std::string& folder) {
  const KeptErrno kept;
  const std::lock_guard lock(g_keeping);
  std::string line = std::string(letter) + "\t" + next_number() + "\t" +
                     name_of_file(folder.c_str()) + "\t" + folder;
  DIR* open_folder = NEXT(opendir)(folder.c_str());
  if (open_folder == nullptr) return;
  while (const dirent* entry = ::readdir(open_folder)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    line += "\t" + name + "\t" + name_of_file((folder + "/" + name).c_str());
  }
  ::closedir(open_folder);
  write_event(line + "\n");
}

}  // namespace

void keep_name(const Path& path) {
  if (!keeps(path)) return;
  const std::string text = path.text;
  const size_t slash = text.rfind('/');
  if (slash != std::string::npos && slash > 0) keep_folder("L", text.substr(0, slash));
}

void keep_synced(int fd) {
  const Path path(fd);
  if (!keeps(path)) return;
  const KeptErrno kept;
  struct stat info {};
  if (NEXT(fstat)(fd, &info) != 0) return;
  if (S_ISDIR(info.st_mode)) return keep_folder("D", path.text);
  const std::lock_guard lock(g_keeping);
  const std::string number = next_number();
  const std::string copy = std::string(folder_to_keep()) + "/" + number;
  char link[40];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const int from = NEXT(open)(link, O_RDONLY | O_CLOEXEC);
  const int to = NEXT(open)(copy.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  char piece[65536];
  ssize_t got = 0;
  while (from >= 0 && to >= 0 && (got = NEXT(read)(from, piece, sizeof piece)) > 0) {
    [[maybe_unused]] const ssize_t written = NEXT(write)(to, piece, static_cast<size_t>(got));
  }
  if (from >= 0) NEXT(close)(from);
  if (to >= 0) NEXT(close)(to);
  write_event("S\t" + number + "\t" + name_of_file(path.text) + "\n");
}

}  // namespace xkde::fault
