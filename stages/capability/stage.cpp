#include "stages/capability/stage.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/capability/capability_results.h"
#include "core/io/atomic_file.h"
#include "stages/capability/likelihoods.h"
#include "stages/recipe/run_record.h"

namespace xkde::recipe {
namespace {

void tell_cut(const std::vector<CapabilityItem>& items) {
  const auto cut = std::count_if(items.begin(), items.end(),
                                 [](const CapabilityItem& item) { return item.cut > 0; });
  if (cut > 0)
    log::info(concat("capability: ", cut,
                     " contexts are longer than the model sees; their beginnings are left out"));
}

void write_results(const CapabilityResults& results, const std::filesystem::path& folder) {
  std::string lines;
  for (const Json& one : results.predictions) lines += one.dump() + "\n";
  write_file_atomically(folder / kPredictionsFile, lines);
  write_file_atomically(folder / kResultsFile, results_json(results.rows).dump(1) + "\n");
  write_file_atomically(folder / kStatisticsFile, results.statistics.dump(1) + "\n");
}

}  // namespace

void check_capability(const CapabilityStage& stage, const SurveyInputs& inputs) {
  capability_items(stage, read_capability_inputs(stage), inputs.model.tokenizer,
                   inputs.model.config.context_length());
}

void run_capability(const CapabilityStage& stage, const std::filesystem::path& folder,
                    RunContext& context) {
  const CapabilityInputs inputs = read_capability_inputs(stage);
  const std::vector<CapabilityItem> items = capability_items(
      stage, inputs, context.tokenizer(), context.decoder().config().context_length());
  if (context.is_root()) tell_cut(items);
  const std::vector<LogLikelihoods> found = ask_likelihoods(stage, inputs, items, folder, context);
  if (!context.is_root()) return;
  const std::string phase = context.artifacts().weights_changed() ? "after" : "before";
  write_results(capability_results(stage, inputs, items, found, phase,
                                   static_cast<uint64_t>(context.recipe().seed)),
                folder);
}

}  // namespace xkde::recipe
