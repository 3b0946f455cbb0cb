#ifndef XKDE_STAGES_RECIPE_EDIT_SELECTION_H_
#define XKDE_STAGES_RECIPE_EDIT_SELECTION_H_

#include "core/data/benchmarks/edit_selection.h"
#include "core/io/json_file.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// What `data` of a benchmark should be, for messages.
inline constexpr const char* kEditData = "a file or folder of the benchmark";

/// Reads or writes the keys of a selection and leaves done() to the caller. The languages of a
/// benchmark that has only one may be left out.
void each_selection_key(StrictMap& map, const Names& benchmarks, EditSelection& edits);
/// The same of edits that nobody asks about: without test languages, which are the edit languages.
void each_edited_key(StrictMap& map, const Names& benchmarks, EditSelection& edits);
Json selection_json(const EditSelection& edits);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_EDIT_SELECTION_H_
