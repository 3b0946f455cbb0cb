#include "stages/pipeline/stage_covers.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/sha256.h"
#include "stages/pipeline/covered_keys.h"
#include "stages/pipeline/stage_places.h"
#include "stages/pipeline/stage_table.h"
#include "stages/recipe/run_record.h"
#include "stages/run/fresh_folder.h"
#include "stages/run/output_path.h"
#include "stages/run/run_folder.h"
#include "stages/run/stage_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// Whether an earlier start has left anything that a start could be refused for.
bool has_earlier_work(const Recipe& recipe, const std::optional<RunRecord>& before) {
  return before || std::ranges::any_of(recipe.stages, [&](const StagePtr& stage) {
           return !stage_folders_of(recipe.output_dir, stage->name()).empty() ||
                  std::ranges::any_of(stage->outputs(), [](const NamedPath& output) {
                    return export_origin(normalised(output.path)).has_value();
                  });
         });
}

/// The bytes of all inputs that no start has read as they are.
int64_t new_bytes(const Recipe& recipe, std::span<const fs::path> model_files,
                  const DigestCache& digests) {
  std::set<fs::path> files;
  const DigestOf note = [&](const fs::path& file) {
    files.insert(file);
    return std::string();
  };
  for (size_t i = 0; i < recipe.stages.size(); ++i) covered_keys(recipe, i, model_files, note);
  asked_questions(recipe, note);
  int64_t bytes = 0;
  for (const fs::path& file : files) bytes += digests.bytes_to_read(file);
  return bytes;
}

}  // namespace

std::vector<Json> covers_of_stages(const Recipe& recipe, std::span<const fs::path> model_files,
                                   LoadedData& data, DigestCache& digests,
                                   std::map<fs::path, std::string>& inputs) {
  const DigestOf digest_of = [&](const fs::path& file) {
    return inputs[file] = digests.digest_of(file);
  };
  std::vector<Json> covers;
  for (size_t i = 0; i < recipe.stages.size(); ++i)
    covers.push_back(covered_keys(recipe, i, model_files, digest_of));
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    const Stage& stage = *recipe.stages[i];
    const auto left_out = runner_of(stage).left_out;
    if (left_out == nullptr) continue;
    const Json all{{"covers", covers[i]}, {"asked", asked_questions(recipe, digest_of)}};
    covers[i][concat(stage.name(), ".", kLeftOut)] =
        digests.derived(sha256_hex(all.dump()), [&] { return left_out(stage, recipe, data); });
  }
  return covers;
}

void check_places(const Recipe& recipe, std::span<const fs::path> model_files, LoadedData& data) {
  const std::optional<RunRecord> before = read_run_record(recipe.output_dir);
  if (!has_earlier_work(recipe, before)) return;
  DigestCache digests(recipe.output_dir / kDigestsFile);
  const int64_t bytes = new_bytes(recipe, model_files, digests);
  if (bytes > kQuickBytes) {
    log::warning(concat("output_dir: ", recipe.output_dir.string(),
                        ": not compared with the stages as they were begun, as inputs of ", bytes,
                        " bytes would have to be read; the start does it"));
    return;
  }
  std::map<fs::path, std::string> inputs;
  const std::vector<Json> covers = covers_of_stages(recipe, model_files, data, digests, inputs);
  place_stages(recipe, covers, before, ChangedStages::kRefuse);
}

}  // namespace xkde::recipe
