#include "core/base/error.h"
#include "core/data/benchmarks/edit_folder.h"
#include "core/data/benchmarks/edit_rows.h"
#include "core/io/file_reader.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

/// Protocol 1.2: s != t -> {s}{t}; s = t != en -> en{t}; s = t = en -> enzh. The published files
/// have no {xx}en, so an edit in xx asked in English reads en{xx}; and where {s}{t} is not there,
/// en{s} and en{t} give the same texts.
std::vector<fs::path> files(const fs::path& data, const Language& edit, const Language& test,
                            Split) {
  if (!is_folder(data, FileOrigin::kInput)) return {data};
  EditFolder folder(data, {"mzsre_test_duplicate_"});
  const Language& english = language_of("en");
  if (edit.iso == test.iso) {
    if (edit.iso != "en") {
      if (fs::path file = folder.first_of(pair_codes(english, edit)); !file.empty()) return {file};
      folder.missing(edit, test);
    }
    if (fs::path file = folder.with_code("enzh"); !file.empty()) return {file};
    for (const Language& other : languages()) {
      if (fs::path file = folder.first_of(pair_codes(english, other)); !file.empty()) return {file};
    }
    folder.missing(edit, test);
  }
  if (fs::path file = folder.first_of(pair_codes(edit, test)); !file.empty()) return {file};
  if (fs::path file = folder.first_of(pair_codes(test, edit)); !file.empty()) return {file};
  if (edit.iso != "en" && test.iso != "en") {
    fs::path first = folder.first_of(pair_codes(english, edit));
    fs::path second = folder.first_of(pair_codes(english, test));
    if (!first.empty() && !second.empty()) return {first, second};
  }
  folder.missing(edit, test);
}

std::vector<fs::path> all_files(const fs::path& data) {
  return files_that_fit(data, ".json", [](const fs::path& file) {
    return language_pair(code_in_name(file)).has_value();
  });
}

}  // namespace

/// MzsRE (protocol 1.2): mzsre_test_duplicate_{xx}{yy}.json, or any *_{xx}{yy}.json.
extern const BenchmarkSource kMzsre;
constinit const BenchmarkSource kMzsre{.name = "mzsre",
                                       .is_evaluated = true,
                                       .gives_demonstrations = true,
                                       .lists_questions = true,
                                       .files = files,
                                       .all_files = all_files,
                                       .read = read_parallel_file};

}  // namespace xkde
