#ifndef XKDE_STAGES_BUILD_DATA_BUILT_DATA_H_
#define XKDE_STAGES_BUILD_DATA_BUILT_DATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/conversation.h"
#include "core/io/json_file.h"
#include "stages/build_data/keys.h"
#include "stages/recipe/recipe.h"
#include "stages/run/run_data.h"

namespace xkde::recipe {

/// The samples of a build_data stage of `recipe`. Throws DataError when there are none.
BuiltData build_data(const BuildDataStage& stage, const Recipe& recipe, LoadedData& files);
/// The same, built at the first call and kept in `data`.
const BuiltData& built_ahead(const BuildDataStage& stage, const Recipe& recipe, RunData& data);

/// A digest of the questions of the stage's sources that it leaves out, because another stage of
/// `recipe` asks them or `exclude` names them. Reads the data; throws as build_data().
std::string left_out_questions(const BuildDataStage& stage, const Recipe& recipe,
                               LoadedData& files);

/// What statistics.json holds: the number of samples and of removed test questions, and the counts.
Json statistics_of(const BuiltData& built);
/// The same in a line: "12 samples (in_with_edit 6, out_with_edit 6), 0 test questions left out".
std::string summary_of(const BuiltData& built);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_BUILD_DATA_BUILT_DATA_H_
