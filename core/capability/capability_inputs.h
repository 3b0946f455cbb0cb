#ifndef XKDE_CORE_CAPABILITY_CAPABILITY_INPUTS_H_
#define XKDE_CORE_CAPABILITY_CAPABILITY_INPUTS_H_

#include <vector>

#include "core/capability/capability_options.h"
#include "core/capability/choice_rows.h"
#include "core/capability/text_documents.h"

namespace xkde {

/// What the files of a capability stage hold, in the order of the options.
struct CapabilityInputs {
  std::vector<TextDocuments> perplexity;
  std::vector<std::vector<ChoiceRow>> choices;
};

/// Throws as read_text_documents() and read_choice_rows(), and ConfigError where two files would
/// give results one name and language.
CapabilityInputs read_capability_inputs(const CapabilityOptions& options);

}  // namespace xkde

#endif  // XKDE_CORE_CAPABILITY_CAPABILITY_INPUTS_H_
