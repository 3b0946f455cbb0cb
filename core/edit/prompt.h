#ifndef XKDE_CORE_EDIT_PROMPT_H_
#define XKDE_CORE_EDIT_PROMPT_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/named.h"
#include "core/data/language.h"

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

/// What stands around the facts and the question of an edit prompt, in one language.
struct Instruction {
  std::string_view sentence;  ///< asks to answer in the language
  std::string_view facts;     ///< heading of the facts: "Updated Information"
  std::string_view question;  ///< heading of the question: "Query"
};

/// The prompt with those words. Throws as edit_prompt().
std::string instruction_prompt(const Instruction& words, const std::vector<std::string>& facts,
                               std::string_view question);

/// The language of an edit prompt's instruction: English that names the test language; English that
/// names what the published evaluator names, which is Chinese for every language but English (Q1);
/// or the test language itself, where native_instruction() has it.
enum class PromptLanguage { kTest, kXk, kNative };
inline constexpr Named<PromptLanguage> kPromptLanguageNames[] = {
    {"test", PromptLanguage::kTest},
    {"xk", PromptLanguage::kXk},
    {"native", PromptLanguage::kNative}};

/// edit_prompt() of a question in `test`.
std::string edit_prompt(const std::vector<std::string>& facts, std::string_view question,
                        const Language& test, PromptLanguage prompt_language);

/// "src alt": an edit as one line of text.
std::string fact_text(std::string_view src, std::string_view alt);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_PROMPT_H_
