#ifndef XKDE_CORE_CAPABILITY_CHOICE_ROWS_H_
#define XKDE_CORE_CAPABILITY_CHOICE_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace xkde {

/// A context and its continuations, of which one is right.
struct ChoiceRow {
  std::string id;  ///< as the file has it; empty: it has none
  std::string language;
  std::string context;               ///< may be empty
  std::vector<std::string> choices;  ///< at least two, none empty
  size_t answer = 0;                 ///< index of the right one
  int64_t line = 0;                  ///< of the file, from 1
};

/// Reads a file with one JSON object a line: "context" (or "question", which means the same),
/// "choices", "answer" and, where wanted, "id" (a text or an integer) and "lang"; `language` is
/// that of rows without "lang". Empty lines are passed over. Throws MissingInputError; DataError
/// "FILE: line 3: answer: expected ..., found ...", also where no row is left.
std::vector<ChoiceRow> read_choice_rows(const std::filesystem::path& file,
                                        const std::string& language);

}  // namespace xkde

#endif  // XKDE_CORE_CAPABILITY_CHOICE_ROWS_H_
