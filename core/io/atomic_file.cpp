#include "core/io/atomic_file.h"

#include <string>

#include <unistd.h>

#include "core/io/file.h"

namespace xkde {

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path temporary = path.string() + ".tmp" + std::to_string(::getpid());
  try {
    FileHandle file = FileHandle::open(temporary, OpenMode::kReplace);
    file.write_all(bytes);
    file.sync();
    file.close();
    rename_file(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder_of(path);
}

void replace_file(const std::filesystem::path& finished, const std::filesystem::path& path) {
  sync_path(finished);
  rename_file(finished, path);
  sync_folder_of(path);
}

}  // namespace xkde
