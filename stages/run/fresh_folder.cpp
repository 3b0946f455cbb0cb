#include "stages/run/fresh_folder.h"

#include <atomic>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <unistd.h>

#include "core/base/error.h"
#include "core/base/host_name.h"
#include "core/base/log.h"
#include "core/io/atomic_file.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "stages/run/output_path.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporary = ".xkde-";

/// This host's name, of letters that a file's name may have.
std::string host_in_a_file_name() {
  std::string name = host_name();
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0 && letter != '.') letter = '_';
  }
  return name;
}

/// Whether `name` is one of temporary_in(), of a process of this host that is gone.
bool is_left_over(std::string_view name) {
  if (!name.starts_with(kTemporary)) return false;
  name.remove_prefix(kTemporary.size());
  int process = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process);
  const std::string_view rest(end, static_cast<size_t>(name.data() + name.size() - end));
  if (error != std::errc() || !rest.starts_with("-" + host_in_a_file_name() + "-")) return false;
  return ::kill(process, 0) != 0 && errno == ESRCH;
}

/// What keeps `target`, a folder that is not empty, from being replaced; "" where nothing does.
std::string foreign_in(const fs::path& target) {
  const Json mark = Json::parse(text_of_file(target / kExportMark), nullptr, false);
  if (!mark.is_object() || !mark.contains("files") || !mark["files"].is_object())
    return concat("a folder without ", kExportMark);
  const Json& files = mark["files"];
  const fs::file_time_type marked = fs::last_write_time(target / kExportMark);
  for (const std::string& name : names_in(target)) {
    if (name == kExportMark) continue;
    const fs::path file = target / name;
    const auto known = files.find(name);
    if (known == files.end() || kind_of_name(file, FileOrigin::kOwn) != PathKind::kFile)
      return name + ", which no export wrote";
    // The mark is written last.
    if (*known != fs::file_size(file) || fs::last_write_time(file) > marked)
      return name + ", which was changed after the export";
  }
  return "";
}

/// The folders that must be made for `folder`, the uppermost last.
std::vector<fs::path> missing_above(fs::path folder) {
  std::vector<fs::path> missing;
  for (; folder.has_relative_path() && !is_there(folder, FileOrigin::kOwn);
       folder = folder.parent_path())
    missing.push_back(folder);
  return missing;
}

/// Folders that something else has put a file into stay.
void try_remove_empty(const std::vector<fs::path>& folders) {
  std::error_code ignored;
  for (const fs::path& folder : folders) fs::remove(folder, ignored);
}

void fill_and_name(const fs::path& target, const std::function<void(const fs::path&)>& fill) {
  const fs::path above = target.parent_path();
  std::error_code error;
  fs::create_directories(above, error);
  XKDE_CHECK(!error, IoError, above.string(), ": expected to create a folder, found ",
             error.message());
  remove_leftovers(above);
  const fs::path filled = temporary_in(above);
  fs::create_directory(filled, error);
  XKDE_CHECK(!error, IoError, above.string(), ": expected to create a folder in it, found ",
             error.message());
  try {
    fill(filled);
    // Refused by the system where the folder has got files meanwhile.
    rename_file(filled, target);
  } catch (...) {
    try_remove_tree(filled);
    throw;
  }
}

}  // namespace

void check_replaceable(const fs::path& target) {
  std::string found;
  try {
    const PathKind kind = kind_of_name(target, FileOrigin::kOwn);
    if (kind == PathKind::kNothing) return;
    if (kind == PathKind::kLink) {
      found = "a link that leads nowhere";
    } else if (kind != PathKind::kFolder) {
      found = "a file";
    } else if (!names_in(target).empty()) {
      found = foreign_in(target);
    }
  } catch (const fs::filesystem_error& error) {
    throw IoError(
        concat(target.string(), ": expected to look into it, found ", error.code().message()));
  }
  XKDE_CHECK(found.empty(), ConfigError, target.string(),
             ": expected nothing there, an empty folder or an export as it was written, found ",
             found, "; move it, or name another folder");
}

std::optional<std::string> export_origin(const fs::path& target) {
  const Json mark = Json::parse(text_of_file(target / kExportMark), nullptr, false);
  if (!mark.is_object()) return std::nullopt;
  const auto found = mark.find("origin");
  return found != mark.end() && found->is_string() ? found->get<std::string>() : "";
}

fs::path name_aside(const fs::path& path) {
  for (int64_t number = 1;; ++number) {
    fs::path name = path.string() + ".old-" + std::to_string(number);
    if (kind_of_name(name, FileOrigin::kOwn) == PathKind::kNothing) return name;
  }
}

fs::path temporary_in(const fs::path& folder) {
  static std::atomic<int> count{0};
  return folder / concat(kTemporary, ::getpid(), '-', host_in_a_file_name(), '-', count++);
}

void remove_leftovers(const fs::path& folder) {
  for (const std::string& name : names_in(folder)) {
    if (is_left_over(name)) try_remove_tree(folder / name);
  }
}

FreshFolder::FreshFolder(const fs::path& target) : target_(normalised(target)) {
  const fs::path above = target_.parent_path();
  std::error_code error;
  fs::create_directories(above, error);
  XKDE_CHECK(!error, IoError, above.string(), ": expected to create a folder, found ",
             error.message());
  remove_leftovers(above);
  path_ = temporary_in(above);
  fs::create_directory(path_, error);
  XKDE_CHECK(!error, IoError, path_.string(), ": expected to create a folder for ",
             target_.filename().string(), ", found ", error.message());
}

FreshFolder::~FreshFolder() {
  if (is_garbage_) try_remove_tree(path_);
}

void FreshFolder::publish(const std::string& origin) {
  Json files = Json::object();
  for (const std::string& name : names_in(path_)) {
    const FileHandle file = FileHandle::open(path_ / name, OpenMode::kRead);
    file.sync();
    files[name] = file.status().bytes;
  }
  write_file_atomically(path_ / kExportMark,
                        Json{{"files", files}, {"origin", origin}}.dump(1) + "\n");
  check_replaceable(target_);
  // Another run may have written there since this one looked.
  XKDE_CHECK(export_origin(target_).value_or(origin) == origin, ConfigError, target_.string(),
             ": expected nothing there or an earlier export of the same weights, found one of "
             "others; move it, or name another folder");
  take_the_name();
  // Should this fail, a power cut may bring back the old folder, which therefore stays.
  is_garbage_ = false;
  sync_folder_of(target_);
  if (!try_remove_tree(path_))
    log::warning(path_.string() + ": the folder before could not be removed");
}

/// Leaves at path_ what had the name, or nothing.
void FreshFolder::take_the_name() {
  if (kind_of_name(target_, FileOrigin::kOwn) == PathKind::kNothing) {
    rename_file(path_, target_);
    return;
  }
  if (exchange_files(path_, target_)) return;
  const fs::path aside = name_aside(target_);
  rename_file(target_, aside);
  try {
    rename_file(path_, target_);
  } catch (...) {
    rename_file(aside, target_);
    throw;
  }
  path_ = aside;
}

void check_new_folder(const fs::path& folder) {
  const PathKind kind = kind_of_name(folder, FileOrigin::kOwn);
  const bool is_empty = kind == PathKind::kFolder && names_in(folder).empty();
  if (kind != PathKind::kNothing && !is_empty)
    refuse_taken(folder, "nothing there, or an empty folder");
}

void make_new_folder(const fs::path& folder, const std::function<void(const fs::path&)>& fill) {
  check_new_folder(folder);
  const fs::path target = normalised(folder);
  const std::vector<fs::path> missing = missing_above(target.parent_path());
  try {
    fill_and_name(target, fill);
  } catch (...) {
    try_remove_empty(missing);
    throw;
  }
}

}  // namespace xkde::recipe
