#ifndef XKDE_CORE_EDIT_PROMPT_H_
#define XKDE_CORE_EDIT_PROMPT_H_

#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// The XE-IT prompt of protocol 2.1: facts in the edit language, the question in the language named
/// by `language_name`
/// ("French"). One fact stands alone, several become a numbered list.
std::string edit_prompt(const std::vector<std::string>& facts, std::string_view question,
                        std::string_view language_name);

/// "src alt": an edit as one line of text.
std::string fact_text(std::string_view src, std::string_view alt);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_PROMPT_H_
