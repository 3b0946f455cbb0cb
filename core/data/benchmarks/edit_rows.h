#ifndef XKDE_CORE_DATA_BENCHMARKS_EDIT_ROWS_H_
#define XKDE_CORE_DATA_BENCHMARKS_EDIT_ROWS_H_

#include <filesystem>
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

/// One side of protocol 1.1 (portability: {New Question, New Answer}) or of BMIKE-53 (port,
/// port_ans). Throws DataError "file: row 17: es.alt: expected a non-empty string, found null".
EditSide parse_side(const Json& json, const Place& place);

/// Reads a file with rows {language: side}. A row's id is its case_id, else its English question.
/// Keys that are neither a language nor a field are passed over. Throws MissingInputError or
/// DataError.
EditFile read_parallel_file(const std::filesystem::path& path);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_EDIT_ROWS_H_
