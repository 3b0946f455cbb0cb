#include "stages/train/finished_training.h"

#include <string>

#include "core/base/error.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/retention.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

fs::path finished_checkpoint(const fs::path& root, bool ends_with_best) {
  const std::string best = ends_with_best ? dist::named_by(root, dist::kBestFile) : "";
  if (!best.empty()) {
    dist::verify_checkpoint(root / best);
    return root / best;
  }
  const auto newest = dist::newest_verified_checkpoint(root);
  XKDE_CHECK(newest.has_value(), CheckpointError, root.string(),
             ": expected the checkpoint of a finished stage, found none");
  return *newest;
}

}  // namespace

void restore_training(const fs::path& folder, bool ends_with_best,
                      const std::optional<LoraOptions>& lora, RunContext& context, bool has) {
  context.weights().use_checkpoint(
      [=] { return finished_checkpoint(folder / "checkpoints", ends_with_best); }, lora, has);
}

}  // namespace xkde::recipe
