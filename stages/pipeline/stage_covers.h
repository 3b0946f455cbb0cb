#ifndef XKDE_STAGES_PIPELINE_STAGE_COVERS_H_
#define XKDE_STAGES_PIPELINE_STAGE_COVERS_H_

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/data/benchmarks/loaded_data.h"
#include "core/io/digest_cache.h"
#include "core/io/json_file.h"
#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// covered_keys of all stages of a recipe, and of each that leaves out questions because others ask
/// them a digest of these (kLeftOut). Data is read into `data` for that where `digests` has none of
/// the same files and keys. `inputs` gets the digest of every file.
std::vector<Json> covers_of_stages(const Recipe& recipe,
                                   std::span<const std::filesystem::path> model_files,
                                   LoadedData& data, DigestCache& digests,
                                   std::map<std::filesystem::path, std::string>& inputs);

/// Throws the ConfigError by which place_stages() refuses a start, where there is work in the
/// recipe's output_dir or an export of an earlier one; changes nothing. Of files that no start has
/// read as they are now it reads a few megabytes. Where that is not enough, it compares nothing and
/// says so in a warning.
void check_places(const Recipe& recipe, std::span<const std::filesystem::path> model_files,
                  LoadedData& data);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PIPELINE_STAGE_COVERS_H_
