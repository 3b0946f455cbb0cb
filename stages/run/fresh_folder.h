#ifndef XKDE_STAGES_RUN_FRESH_FOLDER_H_
#define XKDE_STAGES_RUN_FRESH_FOLDER_H_

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace xkde::recipe {

/// The file that marks a folder as written by FreshFolder: the folder's other files with their
/// sizes, and its origin.
inline constexpr const char* kExportMark = ".xkde_export.json";

/// Throws ConfigError "PATH: expected ..., found ..." unless `target` may be replaced: nothing is
/// there, or an empty folder, or a folder that carries kExportMark and holds the files that it
/// names and no others, none of them changed since. `target` is normalised.
void check_replaceable(const std::filesystem::path& target);

/// The origin that the mark of the folder `target` names, "" where it names none; nothing where no
/// marked folder is there. `target` is normalised.
std::optional<std::string> export_origin(const std::filesystem::path& target);

/// The first of "PATH.old-1", "PATH.old-2", ... that is not there.
std::filesystem::path name_aside(const std::filesystem::path& path);

/// A name in `folder` that is this process's alone (".xkde-<process>-<host>-<number>") and that no
/// user gives.
std::filesystem::path temporary_in(const std::filesystem::path& folder);

/// Removes from `folder` what processes of this host that are gone left under such names.
void remove_leftovers(const std::filesystem::path& folder);

/// A folder that is filled beside its target, under a name of temporary_in(), and takes its place
/// when it is whole. All members throw IoError naming the path.
class FreshFolder {
 public:
  /// Makes an empty folder beside `target`, and the folders above it; remove_leftovers() there.
  explicit FreshFolder(const std::filesystem::path& target);
  FreshFolder(const FreshFolder&) = delete;
  FreshFolder& operator=(const FreshFolder&) = delete;
  /// Removes the folder, unless it was published; never throws.
  ~FreshFolder();

  const std::filesystem::path& path() const noexcept { return path_; }
  /// Marks the folder, makes it durable, and gives it the target's name; what had it is removed
  /// afterwards. At every moment one of the two stands whole under the target's name, or, on a file
  /// system that cannot exchange names, beside it under name_aside(). `origin` names what the
  /// content came of: a folder of another origin is not replaced. Throws as check_replaceable().
  void publish(const std::string& origin);

 private:
  void take_the_name();

  std::filesystem::path target_;
  std::filesystem::path path_;
  bool is_garbage_ = true;  ///< what stands at path_ may be removed
};

/// Throws IoError (refuse_taken) unless nothing or an empty folder has the name.
void check_new_folder(const std::filesystem::path& folder);

/// Makes a folder and those above it: `fill` writes into the folder that it is given, which gets
/// the name when it is whole. All of it is there or nothing, and nothing is ever replaced. Throws
/// IoError, and what `fill` throws.
void make_new_folder(const std::filesystem::path& folder,
                     const std::function<void(const std::filesystem::path&)>& fill);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_FRESH_FOLDER_H_
