#ifndef XKDE_CORE_DATA_BENCHMARKS_EDIT_FOLDER_H_
#define XKDE_CORE_DATA_BENCHMARKS_EDIT_FOLDER_H_

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/language.h"

namespace xkde {

/// A benchmark's folder, asked for files by the end of their names.
class EditFolder {
 public:
  /// `prefixes` of the benchmark's own names, at least one.
  EditFolder(std::filesystem::path path, std::vector<std::string> prefixes);

  /// {prefix}{code}.json with the first prefix, else the only one with another prefix, else the
  /// only *_{code}.json; empty when there is none. Throws DataError when several files fit.
  std::filesystem::path with_code(const std::string& code);
  /// with_code() of the first of `codes` that gives a file.
  std::filesystem::path first_of(const std::vector<std::string>& codes);
  /// Throws MissingInputError with every name that was asked for.
  [[noreturn]] void missing(const Language& edit, const Language& test) const;

 private:
  std::filesystem::path path_;
  std::vector<std::string> prefixes_;
  std::vector<std::filesystem::path> files_;
  std::vector<std::string> asked_;
};

/// The codes that files use for a language, the benchmark's own first.
std::vector<std::string> codes_of(const Language& language);
/// "{xx}{yy}" in every spelling of both languages.
std::vector<std::string> pair_codes(const Language& first, const Language& second);

/// What follows the last "_" of a file's stem; empty when there is none.
std::string code_in_name(const std::filesystem::path& file);

/// `data` itself, or the files in the folder `data` that have the extension and fit, sorted. Throws
/// MissingInputError when there is none.
std::vector<std::filesystem::path> files_that_fit(const std::filesystem::path& data,
                                                  std::string_view extension,
                                                  bool (*fits)(const std::filesystem::path& file));

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_EDIT_FOLDER_H_
