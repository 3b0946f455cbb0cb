#ifndef XKDE_STAGES_RECIPE_EDIT_SELECTION_H_
#define XKDE_STAGES_RECIPE_EDIT_SELECTION_H_

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/data/benchmarks/knowedit.h"
#include "core/io/json_file.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// What `data` of a benchmark should be, for messages.
inline constexpr const char* kEditData = "a file or folder of the benchmark";

/// Records of a benchmark in language pairs: what build_data reads and evaluate asks.
struct EditSelection {
  std::string benchmark;       ///< as benchmark_from_name or knowedit_from_name takes it
  std::filesystem::path data;  ///< a file or the benchmark's folder
  std::vector<std::string> edit_languages;  ///< codes as written, each of a known language
  std::vector<std::string> test_languages;
  std::string records;  ///< a slice that Slice::parse accepts; "" is all

  /// Reads its keys and leaves done() to the caller. The sets of KnowEdit are in English only:
  /// their languages may be left out.
  void read(StrictMap& map, const Names& benchmarks);
  /// The files that hold the selection; of a set of KnowEdit the one of `split`. Finds them by
  /// name, and does not read them. Throws MissingInputError, or DataError where several fit.
  std::set<std::filesystem::path> files(KnowEditSplit split) const;
};
Json to_json(const EditSelection& edits);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_EDIT_SELECTION_H_
