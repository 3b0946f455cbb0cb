#include "core/evaluate/methods/edit_method.h"

#include "core/base/error.h"
#include "core/edit/prompt.h"

namespace xkde {

std::string_view EditMethod::label(bool /*has_demonstrations*/) const { return name(); }

std::string EditMethod::prompt(const PromptParts& parts) const {
  if (parts.facts.empty()) return bare_prompt(parts.question);
  XKDE_CHECK(!shows_one_fact() || parts.facts.size() == 1, InternalError, "prompt of ", name(),
             ": expected one fact, found ", parts.facts.size());
  return prompt_with_facts(parts);
}

std::string EditMethod::bare_prompt(std::string_view question) const {
  return std::string(question);
}

std::vector<std::string> fact_texts(const std::vector<QaPair>& facts) {
  std::vector<std::string> texts;
  for (const QaPair& fact : facts) texts.push_back(fact_text(fact.question, fact.answer));
  return texts;
}

}  // namespace xkde
