#ifndef XKDE_CORE_DATA_BENCHMARKS_EDIT_SELECTION_H_
#define XKDE_CORE_DATA_BENCHMARKS_EDIT_SELECTION_H_

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/data/benchmarks/knowedit.h"

namespace xkde {

/// Records of a benchmark in language pairs: what build_data reads and evaluate asks.
struct EditSelection {
  std::string benchmark;       ///< as benchmark_from_name or knowedit_from_name takes it
  std::filesystem::path data;  ///< a file or the benchmark's folder
  std::vector<std::string> edit_languages;  ///< codes as written, each of a known language
  std::vector<std::string> test_languages;
  std::string records;  ///< a slice that Slice::parse accepts; "" is all

  /// The files that hold the selection; of a set of KnowEdit the one of `split`. Finds them by
  /// name, and does not read them. Throws MissingInputError, or DataError where several fit.
  std::set<std::filesystem::path> files(KnowEditSplit split) const;
};

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_EDIT_SELECTION_H_
