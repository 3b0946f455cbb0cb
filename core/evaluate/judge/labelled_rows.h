#ifndef XKDE_CORE_EVALUATE_JUDGE_LABELLED_ROWS_H_
#define XKDE_CORE_EVALUATE_JUDGE_LABELLED_ROWS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "core/evaluate/judge/judge_prompt.h"

namespace xkde {

/// An answer of which a person says whether it is right.
struct LabelledRow {
  std::string language;  ///< of the question
  JudgeQuestion asked;
  bool is_right = false;
};

/// Reads JSON lines {"lang", "question", "right": [...], "answer", "label": true | false}; "lang"
/// may be left out ("und"). Blank lines are passed over. Throws MissingInputError, and DataError
/// "file: line 3: right: expected ..., found ...".
std::vector<LabelledRow> read_labelled_rows(const std::filesystem::path& file);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_JUDGE_LABELLED_ROWS_H_
