#include "core/data/benchmarks/edit_selection.h"

#include "core/data/benchmarks/benchmarks.h"
#include "core/data/language.h"

namespace xkde {

std::set<std::filesystem::path> EditSelection::files(Split split) const {
  const BenchmarkSource& source = benchmark_of(benchmark);
  std::set<std::filesystem::path> files;
  for (const std::string& edit : edit_languages) {
    for (const std::string& test : test_languages) {
      for (const auto& file : source.files(data, language_of(edit), language_of(test), split))
        files.insert(file);
    }
  }
  return files;
}

EditDataset EditSelection::load(const std::string& edit, const std::string& test, Split split,
                                LoadedData& files) const {
  return files.edits({.source = benchmark_of(benchmark),
                      .data = data,
                      .edit_language = edit,
                      .test_language = test,
                      .slice = Slice::parse(records),
                      .split = split});
}

}  // namespace xkde
