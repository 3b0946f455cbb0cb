#include "core/edit/prompt.h"

#include "core/base/error.h"
#include "core/edit/native_instruction.h"

namespace xkde {

std::string edit_prompt(const std::vector<std::string>& facts, std::string_view question,
                        std::string_view language_name) {
  return instruction_prompt(concat("query in ", language_name), facts, "Query", question);
}

std::string instruction_prompt(std::string_view request, const std::vector<std::string>& facts,
                               std::string_view tag, std::string_view question) {
  const std::string sentence = concat(
      "Please acknowledge the updated information provided below and respond to the subsequent ",
      request, ".");
  return instruction_prompt({sentence, "Updated Information", tag}, facts, question);
}

std::string instruction_prompt(const Instruction& words, const std::vector<std::string>& facts,
                               std::string_view question) {
  XKDE_CHECK(!facts.empty(), InternalError, "edit prompt: expected at least one fact, found none");
  std::string text = concat(words.sentence, "\n\n[", words.facts, "]:\n");
  if (facts.size() == 1) {
    text += facts.front() + "\n";
  } else {
    for (size_t i = 0; i < facts.size(); ++i)
      text += std::to_string(i + 1) + ". " + facts[i] + "\n";
  }
  return text + concat("\n[", words.question, "]:\n", question);
}

std::string edit_prompt(const std::vector<std::string>& facts, std::string_view question,
                        const Language& test, PromptLanguage prompt_language) {
  if (prompt_language == PromptLanguage::kNative) {
    if (const Instruction* words = native_instruction(test.iso))
      return instruction_prompt(*words, facts, question);
  }
  const bool is_named = prompt_language != PromptLanguage::kXk || test.iso == "en";
  return edit_prompt(facts, question,
                     is_named ? test.english_name : language_of("zh").english_name);
}

std::string fact_text(std::string_view src, std::string_view alt) {
  return std::string(src).append(" ").append(alt);
}

}  // namespace xkde
