#ifndef XKDE_CORE_EDIT_PROMPT_H_
#define XKDE_CORE_EDIT_PROMPT_H_

#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// The XE-IT prompt of protocol 2.1: facts in the edit language, the question in the language that
/// `language_name` ("French") names. One fact stands alone, several become a numbered list. Throws
/// InternalError without facts.
std::string edit_prompt(const std::vector<std::string>& facts, std::string_view question,
                        std::string_view language_name);

/// The frame that XE-IT and LTE share: a sentence that ends with `request` ("query in French"), the
/// facts, and the question under the heading `tag` ("Query"). Throws as edit_prompt().
std::string instruction_prompt(std::string_view request, const std::vector<std::string>& facts,
                               std::string_view tag, std::string_view question);

/// "src alt": an edit as one line of text.
std::string fact_text(std::string_view src, std::string_view alt);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_PROMPT_H_
