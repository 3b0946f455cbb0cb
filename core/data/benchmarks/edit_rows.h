#ifndef XKDE_CORE_DATA_BENCHMARKS_EDIT_ROWS_H_
#define XKDE_CORE_DATA_BENCHMARKS_EDIT_ROWS_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "core/data/benchmarks/benchmark_source.h"
#include "core/io/json_file.h"

namespace xkde {

/// Where a value stands in its file, for messages.
struct Place {
  const std::string& file;
  size_t row;
  std::string path;

  Place at(std::string_view key) const;
  std::string text() const;  ///< "file: row 3: es.alt"
};

/// Throws DataError unless `json` is an array that holds something; `name` begins the message.
void check_rows(const Json& json, const std::string& name);

/// What a file leaves out or has beside what is read, by reason -> how many.
using Skipped = std::map<std::string, int64_t>;

/// One side of protocol 1.1 (portability: {New Question, New Answer}) or of BMIKE-53 (port,
/// port_ans, old). Where a rephrase, or a question or answer of locality or portability, is blank,
/// the side goes without and says so in `left_out`. Counts fields that are not read in `skipped`:
/// "es.note: unknown field". Throws DataError "file: row 17: es.alt: expected a non-empty string,
/// found null".
EditSide parse_side(const Json& json, const Place& place, Skipped& skipped);

/// A row of zsRE as MEND, EasyEdit and the train files of Bi-ZsRE have it: one side, whose
/// `answers` begin with the old answer, if any. `pred` and `cond` say nothing more. As
/// parse_side().
EditSide parse_zsre_row(const Json& json, const Place& place, Skipped& skipped);

/// Counts every key of `object` that is not among `known` as "BEFOREkey: unknown field".
void count_unknown(const Json& object, std::span<const std::string_view> known,
                   std::string_view before, Skipped& skipped);

/// Reads a file with rows {language: side}. A row's id is its case_id, else its English question.
/// Keys that are neither a language nor a field are counted in EditFile::skipped. Throws
/// MissingInputError or DataError.
EditFile read_parallel_file(const std::filesystem::path& path);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_EDIT_ROWS_H_
