#ifndef XKDE_STAGES_PIPELINE_STAGE_PLACES_H_
#define XKDE_STAGES_PIPELINE_STAGE_PLACES_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/io/json_file.h"
#include "stages/recipe/recipe.h"
#include "stages/recipe/run_record.h"
#include "stages/run/stage_folder.h"

namespace xkde::recipe {

/// What becomes of the folder of a stage whose results would be others now.
enum class ChangedStages {
  kRefuse,    ///< the start is refused, with the list of changed keys
  kSetAside,  ///< it gets another name (name_aside), as its exports, and the stage begins anew
};

enum class StageState {
  kFresh,    ///< nothing is there
  kStarted,  ///< to be resumed
  kDone,
};

/// Where a stage of a run works.
struct StagePlace {
  std::string folder;  ///< its name in the run's folder
  Fingerprint fingerprint;
  StageState state = StageState::kFresh;
};

/// Finds the folder of every stage in the recipe's output_dir, by what the folders' fingerprints
/// cover: a stage keeps its folder when its number in the recipe changes. A stage without one gets
/// a new one, named by its number or the next number that is free. `covers`: covered_keys of the
/// stages. `before`: what run.json says of the start before.
///
/// A folder that the start before gave to a stage of the same kind, and that holds work which no
/// stage of this recipe would do alike, belongs to a stage that has changed. So do all folders
/// where another run_name owned output_dir. What a stage is to write beside its folder may stand on
/// an export of other weights (export_origin). With kRefuse each of these is a ConfigError with a
/// line for each, and nothing is changed. With kSetAside these folders are set aside, and so is
/// run.json where stages have changed. Throws IoError.
std::vector<StagePlace> place_stages(const Recipe& recipe, std::span<const Json> covers,
                                     const std::optional<RunRecord>& before, ChangedStages changed);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PIPELINE_STAGE_PLACES_H_
