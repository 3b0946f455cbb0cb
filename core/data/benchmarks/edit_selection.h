#ifndef XKDE_CORE_DATA_BENCHMARKS_EDIT_SELECTION_H_
#define XKDE_CORE_DATA_BENCHMARKS_EDIT_SELECTION_H_

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/data/benchmarks/loaded_data.h"

namespace xkde {

/// Records of a benchmark in language pairs: what build_data reads and evaluate asks.
struct EditSelection {
  std::string benchmark;                    ///< of the table in benchmarks.h
  std::filesystem::path data;               ///< a file or the benchmark's folder
  std::vector<std::string> edit_languages;  ///< codes as written, each of a known language
  std::vector<std::string> test_languages;
  std::string records;  ///< a slice that Slice::parse accepts; "" is all

  /// The files that hold the selection; of a set of KnowEdit the one of `split`. Finds them by
  /// name, and does not read them. Throws MissingInputError, or DataError where several fit.
  std::set<std::filesystem::path> files(Split split) const;
  /// The records of one language pair. Throws as LoadedData::edits.
  EditDataset load(const std::string& edit, const std::string& test, Split split,
                   LoadedData& files) const;
};

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_EDIT_SELECTION_H_
