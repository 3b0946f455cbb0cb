#ifndef XKDE_CORE_EDITING_REQUEST_TOKENS_H_
#define XKDE_CORE_EDITING_REQUEST_TOKENS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/editing/editable_model.h"

namespace xkde {

/// A request in one context as tokens.
struct RequestTokens {
  std::vector<int64_t> ids;      ///< of prompt and target, without the last, which predicts nothing
  int64_t first_prediction = 0;  ///< the position that predicts target_ids[0]
  std::vector<int64_t> target_ids;
  int64_t subject_end = 0;  ///< position of the subject's last token
};

/// The prompt's place in a context template.
inline constexpr std::string_view kPromptPlace = "{}";

/// `context`: a template with kPromptPlace. Ids are those of "prompt target" (protocol 6.2) or,
/// where the model has a chat template, of a turn and its answer. The subject's place is looked for
/// where `with_subject`. Throws DataError, which names the record, where it is not in the prompt or
/// the target has no tokens.
RequestTokens request_tokens(const EditableModel& model, const EditRequest& request,
                             std::string_view context, bool with_subject);

/// The tokens of "{subject} is a" up to the subject's last one: what follows that one should stay
/// what it is.
RequestTokens essence_tokens(const EditableModel& model, const EditRequest& request);

/// Why an editor cannot write the request; nothing where it can.
std::optional<std::string> why_unwritable(const EditableModel& model, const EditRequest& request,
                                          bool needs_subject);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_REQUEST_TOKENS_H_
