#ifndef XKDE_CORE_DATA_BENCHMARKS_EDIT_DATASET_H_
#define XKDE_CORE_DATA_BENCHMARKS_EDIT_DATASET_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/data/edit_record.h"
#include "core/data/language.h"

namespace xkde {

enum class Benchmark { kBizsre, kMzsre, kBmike53, kBizsreTrain, kMzsreTrain };
/// From the recipe's name ("bizsre", "mzsre", "bmike53", "bizsre_train", "mzsre_train"). Throws
/// ConfigError listing the known names.
Benchmark benchmark_from_name(std::string_view name);

/// A slice as in Python, "begin:end", either side may be empty or negative. "" means all.
struct Slice {
  std::optional<int64_t> begin;
  std::optional<int64_t> end;
  static Slice parse(std::string_view text);  ///< throws ConfigError
  /// The half-open range of n elements, clamped as Python does.
  std::pair<int64_t, int64_t> range(int64_t n) const;
};

struct EditDataset {
  std::vector<EditRecord>
      records;  ///< with all languages that the files at hand give, keyed by ISO code
  std::map<std::string, int64_t> skipped;    ///< reason -> count, e.g. "no language tr" -> 4
  std::vector<std::filesystem::path> files;  ///< those that were read
};

/// Loads the records that have both languages. `data` is one file or the benchmark's folder:
/// bizsre_test.json | mzsre_test_duplicate_{xx}{yy}.json (with MzsRE's rule of protocol 1.2) or any
/// *_{xx}{yy}.json | zsre_test_{xx}.json | zsre_mend_train_10000.json (English) and
/// zsre_mend_train_10000_chinese.json, joined by row (protocol 1.4) | MzsRE's
/// zsre_mend_train_{xx}_10000.txt, one of each language, joined by line (protocol 1.2). Languages
/// by any code. The slice counts rows after those without a language were left out. Throws
/// MissingInputError, DataError
/// ("file: row 17: es.alt: expected a non-empty string, found null") or ConfigError.
EditDataset load_edits(Benchmark benchmark, const std::filesystem::path& data,
                       std::string_view edit_language, std::string_view test_language,
                       const Slice& slice);

/// All records of all languages of every file of a benchmark, `data` as above; records are not
/// joined over files. For knowing what a benchmark asks. Throws as load_edits.
EditDataset load_all_edits(Benchmark benchmark, const std::filesystem::path& data);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_EDIT_DATASET_H_
