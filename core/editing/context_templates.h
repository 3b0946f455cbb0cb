#ifndef XKDE_CORE_EDITING_CONTEXT_TEMPLATES_H_
#define XKDE_CORE_EDITING_CONTEXT_TEMPLATES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/editing/editable_model.h"
#include "core/editing/editor_options.h"

namespace xkde {

/// The templates in which an editor of `kind` shows a prompt: the bare one, then texts that the
/// model goes on with from a few common words, as the authors make them (protocol 7.2): for ROME
/// ten of 5 tokens and ten of 10, for the others five of 10. They depend on the model's weights and
/// the seed alone.
std::vector<std::string> make_context_templates(EditorKind kind, const EditableModel& model,
                                                uint64_t seed);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_CONTEXT_TEMPLATES_H_
