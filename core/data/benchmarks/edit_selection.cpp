#include "core/data/benchmarks/edit_selection.h"

#include "core/data/benchmarks/edit_dataset.h"
#include "core/data/benchmarks/edit_layout.h"
#include "core/data/language.h"

namespace xkde {

std::set<std::filesystem::path> EditSelection::files(KnowEditSplit split) const {
  if (is_knowedit_name(benchmark))
    return {find_knowedit_file(knowedit_from_name(benchmark), data, split)};
  std::set<std::filesystem::path> files;
  for (const std::string& edit : edit_languages) {
    for (const std::string& test : test_languages) {
      for (const std::filesystem::path& file : find_edit_files(
               benchmark_from_name(benchmark), data, language_of(edit), language_of(test)))
        files.insert(file);
    }
  }
  return files;
}

}  // namespace xkde
