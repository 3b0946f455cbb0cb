#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

#include "core/base/error.h"
#include "core/data/benchmarks/edit_layout.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

/// A benchmark's folder, asked for files by the end of their names.
class Folder {
 public:
  Folder(fs::path path, std::string prefix) : path_(std::move(path)), prefix_(std::move(prefix)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
      if (entry.path().extension() == ".json") files_.push_back(entry.path());
    }
    std::sort(files_.begin(), files_.end());
  }

  /// The benchmark's own {prefix}{code}.json, else the only *_{code}.json; empty when there is
  /// none.
  fs::path with_code(const std::string& code) {
    asked_.push_back(prefix_ + code + ".json");
    std::vector<fs::path> found;
    for (const fs::path& file : files_) {
      const std::string stem = file.stem().string();
      if (stem == prefix_ + code) return file;
      if (stem.ends_with("_" + code)) found.push_back(file);
    }
    XKDE_CHECK(found.size() <= 1, DataError, path_.string(), ": expected one file *_", code,
               ".json, found ",
               found.size() > 1
                   ? found[0].filename().string() + " and " + found[1].filename().string()
                   : "");
    return found.empty() ? fs::path() : found.front();
  }

  /// with_code() of the first of `codes` that gives a file.
  fs::path first_of(const std::vector<std::string>& codes) {
    for (const std::string& code : codes) {
      if (fs::path file = with_code(code); !file.empty()) return file;
    }
    return {};
  }

  [[noreturn]] void missing(const std::string& what) const {
    std::string names;
    for (const std::string& name : asked_) names += (names.empty() ? "" : ", ") + name;
    throw MissingInputError(concat(path_.string(), ": no file for ", what, "; looked for ", names));
  }

 private:
  fs::path path_;
  std::string prefix_;
  std::vector<fs::path> files_;
  std::vector<std::string> asked_;
};

std::vector<std::string> codes_of(const Language& language) {
  if (language.iso == language.file_code) return {language.iso};
  return {language.file_code, language.iso};
}

/// "{xx}{yy}" in every spelling of both languages.
std::vector<std::string> pair_codes(const Language& first, const Language& second) {
  std::vector<std::string> codes;
  for (const std::string& a : codes_of(first)) {
    for (const std::string& b : codes_of(second)) codes.push_back(a + b);
  }
  return codes;
}

std::string pair_text(const Language& edit, const Language& test) {
  return edit.english_name + " -> " + test.english_name;
}

/// Protocol 1.2: s != t -> {s}{t}; s = t != en -> en{t}; s = t = en -> enzh. The published files
/// have no {xx}en, so an edit in xx asked in English reads en{xx}; and where {s}{t} is not there,
/// en{s} and en{t} give the same texts.
std::vector<fs::path> mzsre_files(Folder& folder, const Language& edit, const Language& test) {
  const Language& english = language_of("en");
  if (edit.iso == test.iso) {
    if (edit.iso != "en") {
      if (fs::path file = folder.first_of(pair_codes(english, edit)); !file.empty()) return {file};
      folder.missing(pair_text(edit, test));
    }
    if (fs::path file = folder.with_code("enzh"); !file.empty()) return {file};
    for (const Language& other : languages()) {
      if (fs::path file = folder.first_of(pair_codes(english, other)); !file.empty()) return {file};
    }
    folder.missing(pair_text(edit, test));
  }
  if (fs::path file = folder.first_of(pair_codes(edit, test)); !file.empty()) return {file};
  if (fs::path file = folder.first_of(pair_codes(test, edit)); !file.empty()) return {file};
  if (edit.iso != "en" && test.iso != "en") {
    fs::path first = folder.first_of(pair_codes(english, edit));
    fs::path second = folder.first_of(pair_codes(english, test));
    if (!first.empty() && !second.empty()) return {first, second};
  }
  folder.missing(pair_text(edit, test));
}

/// BMIKE-53: one file a language beside English, all with the same row order.
std::vector<fs::path> bmike53_files(Folder& folder, const Language& edit, const Language& test) {
  std::vector<fs::path> files;
  for (const Language* language : {&edit, &test}) {
    if (language->iso == "en") continue;
    fs::path file = folder.first_of({language->iso, language->file_code});
    if (file.empty()) folder.missing(pair_text(edit, test));
    if (std::find(files.begin(), files.end(), file) == files.end())
      files.push_back(std::move(file));
  }
  for (auto other = languages().begin(); files.empty() && other != languages().end(); ++other) {
    if (fs::path file = folder.first_of({other->iso, other->file_code}); !file.empty())
      files.push_back(file);
  }
  if (files.empty()) folder.missing(pair_text(edit, test));
  return files;
}

/// The original Bi-ZsRE, named by protocol 1.4: a file for each of its two languages.
std::vector<fs::path> train_files(const fs::path& folder, const Language& edit,
                                  const Language& test) {
  std::vector<fs::path> files;
  for (const Language* language : {&edit, &test}) {
    XKDE_CHECK(language->iso == "en" || language->iso == "zh", ConfigError,
               "bizsre_train: expected English or Chinese, found ", language->english_name);
    const fs::path file = folder / (language->iso == "en" ? "zsre_mend_train_10000.json"
                                                          : "zsre_mend_train_10000_chinese.json");
    XKDE_CHECK(fs::exists(file), MissingInputError, folder.string(), ": no file ",
               file.filename().string());
    if (files.empty() || files.front() != file) files.push_back(file);
  }
  return files;
}

/// MzsRE's training side: a file for each language.
std::vector<fs::path> text_files(const fs::path& folder, const Language& edit,
                                 const Language& test) {
  std::vector<fs::path> files;
  for (const Language* language : {&edit, &test}) {
    fs::path found;
    for (const std::string& code : codes_of(*language)) {
      const fs::path file = folder / ("zsre_mend_train_" + code + "_10000.txt");
      if (found.empty() && fs::exists(file)) found = file;
    }
    XKDE_CHECK(!found.empty(), MissingInputError, folder.string(), ": no file zsre_mend_train_",
               language->file_code, "_10000.txt");
    if (files.empty() || files.front() != found) files.push_back(found);
  }
  return files;
}

bool is_code_pair(std::string_view code) {
  return code.size() == 4 && find_language(code.substr(0, 2)) != nullptr &&
         find_language(code.substr(2)) != nullptr;
}

/// Whether a file's name is one that the benchmark's files have.
bool is_of(Benchmark benchmark, const fs::path& file) {
  const std::string stem = file.stem().string();
  const size_t mark = stem.rfind('_');
  const std::string code = mark == std::string::npos ? "" : stem.substr(mark + 1);
  switch (benchmark) {
    case Benchmark::kBizsre:
      return stem == "bizsre_test";
    case Benchmark::kMzsre:
      return is_code_pair(code);
    case Benchmark::kBmike53:
      return find_language(code) != nullptr;
    case Benchmark::kBizsreTrain:
      return stem == "zsre_mend_train_10000" || stem == "zsre_mend_train_10000_chinese";
    case Benchmark::kMzsreTrain:
      return !text_file_code(file).empty();
  }
  throw InternalError("benchmark: not one of the enumerators");
}

}  // namespace

std::vector<fs::path> find_edit_files(Benchmark benchmark, const fs::path& data,
                                      const Language& edit, const Language& test) {
  std::error_code error;
  if (!fs::is_directory(data, error)) return {data};
  switch (benchmark) {
    case Benchmark::kBizsre: {
      const fs::path file = data / "bizsre_test.json";
      XKDE_CHECK(fs::exists(file), MissingInputError, data.string(), ": no file bizsre_test.json");
      return {file};
    }
    case Benchmark::kMzsre: {
      Folder folder(data, "mzsre_test_duplicate_");
      return mzsre_files(folder, edit, test);
    }
    case Benchmark::kBmike53: {
      Folder folder(data, "zsre_test_");
      return bmike53_files(folder, edit, test);
    }
    case Benchmark::kBizsreTrain:
      return train_files(data, edit, test);
    case Benchmark::kMzsreTrain:
      return text_files(data, edit, test);
  }
  throw InternalError("benchmark: not one of the enumerators");
}

std::vector<fs::path> all_edit_files(Benchmark benchmark, const fs::path& data) {
  std::error_code error;
  if (!fs::is_directory(data, error)) return {data};
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(data)) {
    const char* const suffix = benchmark == Benchmark::kMzsreTrain ? ".txt" : ".json";
    if (entry.path().extension() == suffix && is_of(benchmark, entry.path()))
      files.push_back(entry.path());
  }
  XKDE_CHECK(!files.empty(), MissingInputError, data.string(), ": no file of the benchmark");
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace xkde
