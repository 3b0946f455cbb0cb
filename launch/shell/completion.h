#ifndef XKDE_LAUNCH_SHELL_COMPLETION_H_
#define XKDE_LAUNCH_SHELL_COMPLETION_H_

#include <string>
#include <vector>

#include "core/io/json_file.h"
#include "launch/shell/program_facts.h"

namespace xkde {

/// The keys that overrides may set, of the JSON Schema of recipes.
std::vector<KeyFacts> keys_of(const Json& schema);

// Scripts that complete the command line: commands, options and their values, recipes, and keys of
// recipes with their values. What they know of the program is written into them; only the names of
// `recipes` come from the program when they are asked for.

std::string bash_completion(const ProgramFacts& program, const std::vector<KeyFacts>& keys);
std::string zsh_completion(const ProgramFacts& program, const std::vector<KeyFacts>& keys);
std::string fish_completion(const ProgramFacts& program, const std::vector<KeyFacts>& keys);

}  // namespace xkde

#endif  // XKDE_LAUNCH_SHELL_COMPLETION_H_
