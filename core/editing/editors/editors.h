#ifndef XKDE_CORE_EDITING_EDITORS_EDITORS_H_
#define XKDE_CORE_EDITING_EDITORS_EDITORS_H_

#include <memory>

#include "core/editing/editors/editor.h"

namespace xkde {

/// Throws ConfigError where an editor of `kind` cannot work so: a layer or module that the model
/// lacks, several of them for a method that has one, layers out of order.
void check_settings(EditorKind kind, const EditorSettings& settings, const Decoder& decoder);

/// An editor of `kind` at the beginning of a stream. `model` outlives it. Throws as
/// check_settings(), and DataError where a second moment is singular.
std::unique_ptr<Editor> make_editor(EditorKind kind, const EditableModel& model, EditorParts parts);

// The editors, one file each.
std::unique_ptr<Editor> make_rome(const EditableModel& model, EditorParts parts);
/// MEMIT and those that solve like it.
std::unique_ptr<Editor> make_memit(EditorKind kind, const EditableModel& model, EditorParts parts);
/// FT-L, FT-M and LocFT-BF.
std::unique_ptr<Editor> make_tuned_matrix(EditorKind kind, const EditableModel& model,
                                          EditorParts parts);
std::unique_ptr<Editor> make_lora_editor(const EditableModel& model, EditorParts parts);
std::unique_ptr<Editor> make_ultraedit(const EditableModel& model, EditorParts parts);
std::unique_ptr<Editor> make_grace(const EditableModel& model, EditorParts parts);
std::unique_ptr<Editor> make_wise(const EditableModel& model, EditorParts parts);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_EDITORS_EDITORS_H_
