#include "core/edit/prompt.h"

#include "core/base/error.h"

namespace xkde {

namespace {

/// Sentence, facts, tag and question: the layout that X-KDE and LTE share.
std::string instruction_prompt(std::string_view sentence, const std::vector<std::string>& facts,
                               std::string_view tag, std::string_view question) {
  XKDE_CHECK(!facts.empty(), InternalError, "edit prompt: expected at least one fact, found none");
  std::string text = concat(sentence, "\n\n[Updated Information]:\n");
  if (facts.size() == 1) {
    text += facts.front() + "\n";
  } else {
    for (size_t i = 0; i < facts.size(); ++i)
      text += std::to_string(i + 1) + ". " + facts[i] + "\n";
  }
  return text + concat("\n[", tag, "]:\n", question);
}

constexpr std::string_view kAcknowledge =
    "Please acknowledge the updated information provided below and respond to the subsequent ";

const Probe& only_fact(const std::vector<Probe>& facts) {
  XKDE_CHECK(facts.size() == 1, InternalError, "in-context prompt: expected one fact, found ",
             facts.size());
  return facts.front();
}

std::vector<std::string> texts_of(const std::vector<Probe>& facts) {
  std::vector<std::string> texts;
  for (const Probe& fact : facts) texts.push_back(fact_text(fact.question, fact.answer));
  return texts;
}

std::string question_block(const Probe& probe) {
  return concat("Question: ", probe.question, " Answer: ", probe.answer, "\n");
}

}  // namespace

std::string edit_prompt(const std::vector<std::string>& facts, std::string_view question,
                        std::string_view language_name) {
  return instruction_prompt(concat(kAcknowledge, "query in ", language_name, "."), facts, "Query",
                            question);
}

std::string fact_text(std::string_view src, std::string_view alt) {
  return std::string(src).append(" ").append(alt);
}

std::string method_prompt(PromptMethod method, const Asked& asked) {
  if (asked.facts.empty()) return bare_prompt(method, asked.question);
  switch (method) {
    case PromptMethod::kXkde:
      return edit_prompt(texts_of(asked.facts), asked.question, asked.language_name);
    case PromptMethod::kNone:
      return bare_prompt(method, asked.question);
    case PromptMethod::kLte: {
      const std::string_view sentence = asked.is_stream ? "question." : "query.";
      return instruction_prompt(concat(kAcknowledge, sentence), texts_of(asked.facts),
                                asked.is_stream ? "Question" : "Query", asked.question);
    }
    case PromptMethod::kIke: {
      const Probe& fact = only_fact(asked.facts);
      return concat(asked.demonstrations, "New Fact: ", fact.question, " ", fact.answer,
                    "\nPrompt: ", asked.question);
    }
    case PromptMethod::kRemake:
      return concat(asked.demonstrations, question_block(only_fact(asked.facts)),
                    bare_prompt(method, asked.question));
  }
  throw InternalError("prompt method: not one of the enumerators");
}

std::string bare_prompt(PromptMethod method, std::string_view question) {
  if (method == PromptMethod::kRemake) return concat("Question: ", question, " Answer:");
  return std::string(question);
}

std::string ike_demonstration(const Probe& fact, const Probe& asked) {
  return concat("New Fact: ", fact.question, " ", fact.answer, "\nPrompt: ", asked.question, " ",
                asked.answer, "\n\n");
}

std::string ike_query(const Probe& fact) {
  return concat("New Fact: ", fact.question, " ", fact.answer, "\nPrompt: ", fact.question, "\n\n");
}

std::string remake_block(const Probe& edit_side, const Probe* test_side) {
  std::string block = question_block(edit_side);
  if (test_side != nullptr) block += question_block(*test_side);
  return block + "\n";
}

}  // namespace xkde
