#ifndef XKDE_CORE_IO_ATOMIC_FILE_H_
#define XKDE_CORE_IO_ATOMIC_FILE_H_

#include <filesystem>
#include <string_view>

namespace xkde {

/// Writes a file that is there whole or not at all: a temporary beside it, fsync, rename, fsync of
/// the folder. Throws IoError naming the path and the system's reason.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Puts a file that was written beside `path` in its place, durably: fsync, rename, fsync of the
/// folder. Throws IoError; then `path` is as it was.
void replace_file(const std::filesystem::path& finished, const std::filesystem::path& path);

}  // namespace xkde

#endif  // XKDE_CORE_IO_ATOMIC_FILE_H_
