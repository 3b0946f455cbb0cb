#ifndef XKDE_CORE_EDIT_NATIVE_INSTRUCTION_H_
#define XKDE_CORE_EDIT_NATIVE_INSTRUCTION_H_

#include <string_view>

#include "core/edit/prompt.h"

namespace xkde {

/// The instruction of the XE-IT prompt in the language with that ISO code, our own words; nullptr
/// for a language that small models can hardly be expected to follow (and for English, whose words
/// edit_prompt() has).
const Instruction* native_instruction(std::string_view iso);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_NATIVE_INSTRUCTION_H_
