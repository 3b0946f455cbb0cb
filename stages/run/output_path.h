#ifndef XKDE_STAGES_RUN_OUTPUT_PATH_H_
#define XKDE_STAGES_RUN_OUTPUT_PATH_H_

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "stages/recipe/recipe.h"
#include "stages/recipe/stage.h"

namespace xkde::recipe {

/// `path` as the system sees it: absolute, its links followed, without ".", ".." and a slash at its
/// end. It need not exist; a link that leads nowhere stays. Throws ConfigError where it cannot be
/// followed (a loop of links, a folder that may not be entered).
std::filesystem::path normalised(const std::filesystem::path& path);

/// The names of what a folder holds, sorted; none where there is no folder. Throws IoError.
std::vector<std::string> names_in(const std::filesystem::path& folder);

/// Throws ConfigError "PATH: expected a path apart from all inputs, found one that is (holds, lies
/// in) KEY (INPUT)" where writing to `output` could change an input. Inputs that are not there are
/// passed over.
void check_apart(const std::filesystem::path& output, std::span<const NamedPath> inputs);

/// Throws ConfigError where `file` is neither a regular file nor free, or lies below a file.
void check_file_or_free(const std::filesystem::path& file);

/// Throws ConfigError where the recipe must not write to one of its outputs (outputs_of): it is,
/// holds or lies in an input, or another output of the recipe; something of another kind is there;
/// or something that no run and no export of this program wrote. Only a run's folder may have files
/// of others in it, under names that a run does not use. Looks only.
void check_output(const Recipe& recipe, const NamedPath& output);
/// Of all outputs; the message begins with the place and key of the first that is refused.
void check_outputs(const Recipe& recipe);

/// Whether a run writes a file or folder of this name into its folder.
bool is_name_of_a_run(const std::string& name);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_OUTPUT_PATH_H_
