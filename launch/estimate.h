#ifndef XKDE_LAUNCH_ESTIMATE_H_
#define XKDE_LAUNCH_ESTIMATE_H_

#include <filesystem>
#include <string>
#include <vector>

namespace xkde {

/// What a run of the recipe on `ranks` ranks would do, hold and take, as text: stages, tokens, the
/// layout of the shards, a rank's bytes by kind, the time of a step by part. `machine` is "here"
/// (all ranks on the CPU of this host, whose speed is measured) or a preset of GPU nodes. Throws
/// what a run would throw before it starts: a recipe that does not fit is a ConfigError.
std::string estimate_recipe(const std::filesystem::path& recipe, int ranks,
                            const std::string& machine, const std::vector<std::string>& overrides);

}  // namespace xkde

#endif  // XKDE_LAUNCH_ESTIMATE_H_
