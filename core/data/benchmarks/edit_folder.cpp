#include "core/data/benchmarks/edit_folder.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde {

namespace fs = std::filesystem;

EditFolder::EditFolder(fs::path path, std::vector<std::string> prefixes)
    : path_(std::move(path)), prefixes_(std::move(prefixes)) {
  for (const fs::path& file : entries_of(path_, FileOrigin::kInput)) {
    if (file.extension() == ".json") files_.push_back(file);
  }
}

fs::path EditFolder::with_code(const std::string& code) {
  asked_.push_back(prefixes_.front() + code + ".json");
  std::vector<fs::path> own, others;
  for (const fs::path& file : files_) {
    const std::string stem = file.stem().string();
    if (stem == prefixes_.front() + code) return file;
    const bool is_own = std::any_of(prefixes_.begin(), prefixes_.end(),
                                    [&](const std::string& one) { return stem == one + code; });
    if (is_own) own.push_back(file);
    if (stem.ends_with("_" + code)) others.push_back(file);
  }
  const std::vector<fs::path>& found = own.empty() ? others : own;
  XKDE_CHECK(
      found.size() <= 1, DataError, path_.string(), ": expected one file *_", code, ".json, found ",
      found.size() > 1 ? found[0].filename().string() + " and " + found[1].filename().string()
                       : "");
  return found.empty() ? fs::path() : found.front();
}

fs::path EditFolder::first_of(const std::vector<std::string>& codes) {
  for (const std::string& code : codes) {
    if (fs::path file = with_code(code); !file.empty()) return file;
  }
  return {};
}

void EditFolder::missing(const Language& edit, const Language& test) const {
  throw MissingInputError(fmt::format("{}: no file for {} -> {}; looked for {}", path_.string(),
                                      edit.english_name, test.english_name,
                                      fmt::join(asked_, ", ")));
}

std::vector<std::string> codes_of(const Language& language) {
  if (language.iso == language.file_code) return {language.iso};
  return {language.file_code, language.iso};
}

std::vector<std::string> pair_codes(const Language& first, const Language& second) {
  std::vector<std::string> codes;
  for (const std::string& a : codes_of(first)) {
    for (const std::string& b : codes_of(second)) codes.push_back(a + b);
  }
  return codes;
}

std::string code_in_name(const fs::path& file) {
  const std::string stem = file.stem().string();
  const size_t mark = stem.rfind('_');
  return mark == std::string::npos ? "" : stem.substr(mark + 1);
}

std::vector<fs::path> files_that_fit(const fs::path& data, std::string_view extension,
                                     bool (*fits)(const fs::path& file)) {
  if (!is_folder(data, FileOrigin::kInput)) return {data};
  std::vector<fs::path> files;
  for (const fs::path& file : entries_of(data, FileOrigin::kInput)) {
    if (file.extension() == extension && fits(file)) files.push_back(file);
  }
  XKDE_CHECK(!files.empty(), MissingInputError, data.string(), ": no file of the benchmark");
  return files;
}

}  // namespace xkde
