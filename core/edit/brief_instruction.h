#ifndef XKDE_CORE_EDIT_BRIEF_INSTRUCTION_H_
#define XKDE_CORE_EDIT_BRIEF_INSTRUCTION_H_

#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// A sentence that asks for a brief answer, and the word that an answer is written behind, both in
/// one language; our own words.
struct BriefInstruction {
  std::string_view iso;
  std::string_view sentence;
  std::string_view answer;  ///< "Answer:"
};

/// Those of the language with that ISO code, or nullptr.
const BriefInstruction* brief_instruction(std::string_view iso);
/// The ISO codes that have them.
std::vector<std::string> briefly_asked_languages();

/// "SENTENCE\n\nTEXT\nANSWER": a text that a model without a chat template is to answer briefly.
/// Throws ConfigError for a language without an instruction.
std::string ask_briefly(std::string_view text, std::string_view iso);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_BRIEF_INSTRUCTION_H_
