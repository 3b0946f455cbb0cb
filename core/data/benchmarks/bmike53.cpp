#include <algorithm>
#include <utility>

#include "core/data/benchmarks/edit_folder.h"
#include "core/data/benchmarks/edit_rows.h"
#include "core/io/file_reader.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> codes(const Language& language) {
  return {language.iso, language.file_code, language.train_code};
}

std::vector<fs::path> files(const fs::path& data, const Language& edit, const Language& test,
                            Split) {
  if (!is_folder(data, FileOrigin::kInput)) return {data};
  EditFolder folder(data, {"zsre_test_", "counterfact_test_", "wfd_test_"});
  std::vector<fs::path> files;
  for (const Language* language : {&edit, &test}) {
    if (language->iso == "en") continue;
    fs::path file = folder.first_of(codes(*language));
    if (file.empty()) folder.missing(edit, test);
    if (std::find(files.begin(), files.end(), file) == files.end())
      files.push_back(std::move(file));
  }
  for (auto other = languages().begin(); files.empty() && other != languages().end(); ++other) {
    if (fs::path file = folder.first_of(codes(*other)); !file.empty()) files.push_back(file);
  }
  if (files.empty()) folder.missing(edit, test);
  return files;
}

std::vector<fs::path> all_files(const fs::path& data) {
  return files_that_fit(data, ".json", [](const fs::path& file) {
    return find_language(code_in_name(file)) != nullptr;
  });
}

}  // namespace

/// BMIKE-53: one file zsre_test_{xx}.json (counterfact_test_, wfd_test_) a language beside English,
/// all of a part with the same row order.
extern const BenchmarkSource kBmike53;
constinit const BenchmarkSource kBmike53{.name = "bmike53",
                                         .is_evaluated = true,
                                         .gives_demonstrations = true,
                                         .lists_questions = true,
                                         .files = files,
                                         .all_files = all_files,
                                         .read = read_parallel_file};

}  // namespace xkde
