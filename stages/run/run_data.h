#ifndef XKDE_STAGES_RUN_RUN_DATA_H_
#define XKDE_STAGES_RUN_RUN_DATA_H_

#include <cstdint>
#include <map>
#include <vector>

#include "core/data/benchmarks/loaded_data.h"
#include "core/data/conversation.h"
#include "core/io/json_file.h"
#include "stages/recipe/stage.h"

namespace xkde::recipe {

/// The training set of a build_data stage.
struct BuiltData {
  std::vector<Conversation> conversations;
  int64_t removed_test_questions = 0;
  /// With `quadrants`: samples by source, language pair, quadrant and number of facts, and what was
  /// skipped by reason. Else null.
  Json counts;
};

/// What one rank has read and built so far, so that no part of a run does it again.
struct RunData {
  LoadedData files;
  /// Sets that were asked for before their stage ran. The stage takes its own out.
  std::map<const Stage*, BuiltData> built;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_RUN_DATA_H_
