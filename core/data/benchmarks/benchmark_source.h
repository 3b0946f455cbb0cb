#ifndef XKDE_CORE_DATA_BENCHMARKS_BENCHMARK_SOURCE_H_
#define XKDE_CORE_DATA_BENCHMARKS_BENCHMARK_SOURCE_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/edit_record.h"
#include "core/data/language.h"

namespace xkde {

/// The rows of one benchmark file: position, sides by ISO code. Rows keep their order and number.
struct EditFile {
  std::filesystem::path path = {};
  std::vector<EditRecord> rows = {};
  /// What ties a row to its twin in another file; an empty text fits every other empty text.
  std::vector<std::string> row_ids = {};
  std::map<size_t, std::string> left_out = {};  ///< row -> why it is no edit: "alt: empty"
  /// What the file leaves empty inside its rows, by reason -> how many: "portability: empty".
  std::map<std::string, int64_t> skipped = {};
};

enum class Split { kTrain, kTest };

/// The layout of one benchmark: where its files are and how one is read. Layouts are listed in
/// benchmarks.cpp.
struct BenchmarkSource {
  std::string_view name;                             ///< as recipes and results have it
  std::span<const std::string_view> languages = {};  ///< ISO codes; empty: all of protocol 0.4
  bool is_evaluated = false;                         ///< `evaluate` takes it
  bool gives_demonstrations = false;                 ///< `evaluate.demonstrations` takes it
  bool lists_questions = false;                      ///< build_data takes it without `quadrants`
  bool has_averaging = false;                        ///< `evaluate.averaging` applies to it

  /// The files that give both languages, to be joined by row: `data` itself, or files of the folder
  /// `data`. Throws MissingInputError with the names that were looked for, DataError when several
  /// files fit, ConfigError for a language that the benchmark does not have.
  std::vector<std::filesystem::path> (*files)(const std::filesystem::path& data,
                                              const Language& edit, const Language& test,
                                              Split split);
  /// Every file that the benchmark asks questions of, sorted; `data` as above. Throws
  /// MissingInputError when there is none.
  std::vector<std::filesystem::path> (*all_files)(const std::filesystem::path& data);
  /// Reads one of these files. Throws MissingInputError or DataError
  /// "file: row 17: es.alt: expected a non-empty string, found null".
  EditFile (*read)(const std::filesystem::path& file);

  /// Records of such a benchmark come in one language pair only.
  bool has_one_language() const { return languages.size() == 1; }
};

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_BENCHMARK_SOURCE_H_
