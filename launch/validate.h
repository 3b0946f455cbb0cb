#ifndef XKDE_LAUNCH_VALIDATE_H_
#define XKDE_LAUNCH_VALIDATE_H_

#include <filesystem>
#include <string>
#include <vector>

namespace xkde {

/// Reads a recipe strictly and opens every input that it names; all mistakes at once, as one error.
/// Returns the line to print when there is none. Needs neither MPI nor a GPU.
std::string validate_recipe(const std::filesystem::path& recipe,
                            const std::vector<std::string>& overrides);

}  // namespace xkde

#endif  // XKDE_LAUNCH_VALIDATE_H_
