#include "stages/train/finished_training.h"

#include <string>
#include <variant>

#include "core/base/error.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/retention.h"
#include "stages/run/run_folder.h"

namespace xkde::recipe {

namespace fs = std::filesystem;

fs::path finished_checkpoint(const Stage& stage, const fs::path& folder) {
  const fs::path root = folder / "checkpoints";
  const auto* orpo = std::get_if<OrpoStage>(&stage);
  const bool ends_with_best = orpo != nullptr && orpo->load_best_model_at_end;
  const std::string named = ends_with_best ? dist::named_by(root, dist::kBestFile) : "";
  if (!named.empty()) {
    dist::verify_checkpoint(root / named);
    return root / named;
  }
  const auto newest = dist::newest_verified_checkpoint(root);
  XKDE_CHECK(newest.has_value(), CheckpointError, root.string(),
             ": expected the checkpoint of a finished stage, found none");
  return *newest;
}

std::optional<fs::path> last_checkpoint(const Recipe& recipe) {
  for (size_t i = recipe.stages.size(); i-- > 0;) {
    const Stage& stage = recipe.stages[i];
    if (train_keys(stage) == nullptr) continue;
    const fs::path folder = recipe.output_dir / stage_folder_name(i, stage_name(stage));
    XKDE_CHECK(fs::exists(folder / "DONE"), MissingInputError, folder.string(),
               ": expected a finished training stage, found none; run the recipe first");
    return finished_checkpoint(stage, folder);
  }
  return std::nullopt;
}

}  // namespace xkde::recipe
