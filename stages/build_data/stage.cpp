#include "stages/build_data/stage.h"

#include "core/base/log.h"
#include "core/io/atomic_file.h"
#include "distributed/comm/agreement.h"
#include "stages/build_data/built_data.h"
#include "stages/recipe/run_record.h"

namespace xkde::recipe {

void run_build_data(const BuildDataStage& stage, const std::filesystem::path& folder,
                    RunContext& context) {
  dist::agree_on(context.comm(), [&] {
    if (!context.is_root()) return;
    const BuiltData& built = built_ahead(stage, context.recipe(), context.data());
    write_conversations(folder / kTrainFile, built.conversations);
    write_file_atomically(folder / kStatisticsFile, statistics_of(built).dump(1) + "\n");
    log::info("build_data: " + summary_of(built));
    context.data().built.erase(&stage);  // from here on the file is read
  });
}

}  // namespace xkde::recipe
