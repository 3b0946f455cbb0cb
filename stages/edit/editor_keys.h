#ifndef XKDE_STAGES_EDIT_EDITOR_KEYS_H_
#define XKDE_STAGES_EDIT_EDITOR_KEYS_H_

#include <optional>

#include "core/editing/editor_options.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// Reads or writes the mapping `editor:` of a stage with this method. A key that the method does
/// not look at is a mistake; where nobody knows the method, one that none looks at.
void each_editor_key(StrictMap map, std::optional<EditorKind> method, EditorOptions& options);
/// Describes that mapping of a stage whose `method` may be any: which keys each looks at.
void describe_editor(StrictMap& stage);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EDIT_EDITOR_KEYS_H_
