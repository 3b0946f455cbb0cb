#ifndef XKDE_CORE_DATA_BENCHMARKS_EDIT_LAYOUT_H_
#define XKDE_CORE_DATA_BENCHMARKS_EDIT_LAYOUT_H_

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/benchmarks/edit_dataset.h"
#include "core/io/json_file.h"

namespace xkde {

/// The rows of one benchmark file: position, sides by ISO code. Rows keep their order and number.
struct EditFile {
  std::filesystem::path path;
  std::vector<EditRecord> rows;
  std::vector<std::string>
      row_ids;  ///< what ties a row to its twin in another file: case_id, else the English question
  std::map<size_t, std::string> left_out;  ///< row -> why it is no edit: "alt: empty"
};

/// The sides of a parsed file: {language: side} rows of protocol 1.1 (portability: {New Question,
/// New Answer}) or BMIKE-53 (port, port_ans, case_id). Keys that are neither a language nor a field
/// are passed over. Throws DataError "name: row 17: es.alt: expected a non-empty string, found
/// null".
EditFile parse_edit_file(const Json& json, const std::filesystem::path& path);

/// A train file of the original Bi-ZsRE (protocol 1.4), one side a row: Chinese when the name ends
/// in "_chinese", else English. `answers` gives the old answer, if any. Rows with an empty `alt`
/// are left out. Throws DataError "name: row 17: rephrase: expected ...".
EditFile parse_train_file(const Json& json, const std::filesystem::path& path);

/// A training file of MzsRE (protocol 1.2): "question<TAB>answer" a line, in the language of its
/// name, zsre_mend_train_{xx}_10000.txt; of several fields the first and the last. A line without a
/// tab is left out. Throws MissingInputError or DataError "name: line 17: expected ...".
EditFile read_text_file(const std::filesystem::path& path);
/// The language code in the name of such a file; empty for another name.
std::string text_file_code(const std::filesystem::path& path);

/// The files that give both languages, one or two to be joined by row. `data` is a file or the
/// benchmark's folder. Throws MissingInputError with the names that were looked for, or DataError
/// when several files fit.
std::vector<std::filesystem::path> find_edit_files(Benchmark benchmark,
                                                   const std::filesystem::path& data,
                                                   const Language& edit, const Language& test);

/// Every file of a benchmark, sorted: `data` itself, or those in the folder `data` whose names
/// find_edit_files knows for any languages. Throws MissingInputError when there is none.
std::vector<std::filesystem::path> all_edit_files(Benchmark benchmark,
                                                  const std::filesystem::path& data);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_EDIT_LAYOUT_H_
