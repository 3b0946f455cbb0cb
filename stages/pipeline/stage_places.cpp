#include "stages/pipeline/stage_places.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "stages/pipeline/covered_keys.h"
#include "stages/recipe/run_record.h"
#include "stages/run/fresh_folder.h"
#include "stages/run/output_path.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBuildsOn = "builds_on.";

/// A folder whose work no stage of the recipe would do alike.
struct Changed {
  std::string folder;
  std::string why;
};

/// An export of other weights where a stage is to write its own.
struct OtherExport {
  std::string key;  ///< "stages.2.export.path" or as the recipe has it
  fs::path path;
};

class Placement {
 public:
  Placement(const Recipe& recipe, std::span<const Json> covers,
            const std::optional<RunRecord>& before)
      : recipe_(recipe), covers_(covers), before_(before), places_(recipe.stages.size()) {
    for (const StagePtr& stage : recipe.stages) {
      const std::string name(stage->name());
      const auto [found, is_new] = folders_.try_emplace(name);
      if (!is_new) continue;
      for (const std::string& folder : stage_folders_of(recipe.output_dir, name))
        found->second.push_back({folder, fingerprint_in(recipe.output_dir / folder)});
    }
  }

  void find() {
    for (size_t i = 0; i < places_.size(); ++i) match(i);
    if (is_of_another_run()) give_up_all();
    for (size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].folder.empty()) blame(i);
      if (places_[i].state != StageState::kDone) find_exports(i);
    }
  }
  bool is_of_another_run() const {
    return before_ && !before_->run_name.empty() && before_->run_name != recipe_.run_name;
  }
  const std::vector<Changed>& changed() const noexcept { return changed_; }
  const std::vector<OtherExport>& exports() const noexcept { return exports_; }

  /// After the changed folders were set aside.
  std::vector<StagePlace> take() {
    for (size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].folder.empty()) places_[i].folder = new_name(i);
      taken_.insert(places_[i].folder);
    }
    return std::move(places_);
  }

 private:
  struct Folder {
    std::string name;
    std::optional<Fingerprint> fingerprint;
  };

  fs::path path_of(const std::string& folder) const { return recipe_.output_dir / folder; }
  std::string own_name(size_t i) const { return stage_folder_name(i, recipe_.stages[i]->name()); }

  /// The folders of the stage's kind that no stage has yet, the one of its own number first.
  std::vector<const Folder*> free_folders(size_t i) const {
    std::vector<const Folder*> free;
    for (const Folder& folder : folders_.at(std::string(recipe_.stages[i]->name()))) {
      if (!taken_.contains(folder.name) && !given_up_.contains(folder.name))
        free.push_back(&folder);
    }
    std::stable_partition(free.begin(), free.end(),
                          [&](const Folder* folder) { return folder->name == own_name(i); });
    return free;
  }

  /// Gives the stage the folder that covers the same, if there is one.
  void match(size_t i) {
    Json covers = covers_[i];
    for (const auto& [key, stage] : built_on(recipe_, i))
      covers[key] = places_[stage].fingerprint.id;
    for (const Folder* folder : free_folders(i)) {
      const auto& kept = folder->fingerprint;
      if (!kept || !changed_keys(kept->covers, covers, *recipe_.stages[i]).empty()) continue;
      const bool done = is_done(path_of(folder->name)) && has_outputs(i);
      places_[i] = {folder->name, *kept, done ? StageState::kDone : StageState::kStarted};
      taken_.insert(folder->name);
      return;
    }
    places_[i].fingerprint = make_fingerprint(std::move(covers));
  }

  /// Whether what the stage writes beside its own folder, where its marks are not, is there.
  bool has_outputs(size_t i) const {
    return std::ranges::all_of(recipe_.stages[i]->outputs(), [](const NamedPath& output) {
      return is_there(output.path, FileOrigin::kOwn);
    });
  }

  /// Notes the exports of other weights that the stage would replace.
  void find_exports(size_t i) {
    const Stage& stage = *recipe_.stages[i];
    const std::string own = origin_id(places_[i].fingerprint.covers, stage.name());
    for (const NamedPath& output : stage.outputs()) {
      const fs::path path = normalised(output.path);
      if (export_origin(path).value_or(own) != own)
        exports_.push_back({concat(recipe_.origin.stage_paths[i], ".", output.key), path});
    }
  }

  bool was_given(const std::string& folder) const {
    return !before_ || std::ranges::find(before_->stages, folder) != before_->stages.end();
  }

  /// Notes the folder that a stage without one had before it was changed, if there is one.
  void blame(size_t i) {
    for (const Folder* folder : free_folders(i)) {
      if (!was_given(folder->name) || !holds_work(path_of(folder->name))) continue;
      note(folder->name, reason(*folder, i));
      return;
    }
  }

  void note(const std::string& folder, std::string why) {
    given_up_.insert(folder);
    changed_.push_back({folder, std::move(why)});
  }

  std::string reason(const Folder& folder, size_t i) const {
    if (!folder.fingerprint)
      return "its FINGERPRINT, of an earlier version or gone, does not tell what it covers";
    std::string text, below;
    for (const KeyChange& change : changed_keys(
             folder.fingerprint->covers, places_[i].fingerprint.covers, *recipe_.stages[i])) {
      if (change.key.starts_with(kBuildsOn)) {
        below = "builds on what has changed (" + change.key.substr(kBuildsOn.size()) + ")";
      } else {
        text += (text.empty() ? "" : ", ") + text_of(change);
      }
    }
    if (text.empty()) return below;
    return below.empty() ? text : text + "; " + below;
  }

  /// The folders that another run has in output_dir are none of this recipe's.
  void give_up_all() {
    for (const std::string& folder : before_->stages) {
      if (!taken_.contains(folder) && holds_work(path_of(folder)))
        note(folder, "of the run " + before_->run_name);
    }
  }

  /// A name that no stage has, and no folder with work in it.
  std::string new_name(size_t i) const {
    for (size_t number = i;; ++number) {
      std::string name = stage_folder_name(number, recipe_.stages[i]->name());
      if (!taken_.contains(name) && !holds_work(path_of(name))) return name;
    }
  }

  const Recipe& recipe_;
  std::span<const Json> covers_;
  const std::optional<RunRecord>& before_;
  std::vector<StagePlace> places_;
  std::map<std::string, std::vector<Folder>> folders_;  ///< by the stage's name
  std::set<std::string> taken_;                         ///< by a stage
  std::set<std::string> given_up_;                      ///< of a stage that has changed
  std::vector<Changed> changed_;
  std::vector<OtherExport> exports_;
};

void set_aside(const fs::path& path) {
  const fs::path aside = name_aside(path);
  rename_file(path, aside);
  log::info(path.filename().string() + ": set aside as " + aside.filename().string());
}

/// What a start with other stages than before is told.
std::string refusal(const Recipe& recipe, const std::string& other_run,
                    const std::vector<Changed>& changed) {
  std::string text = concat(recipe.origin.place_of("output_dir"),
                            ": output_dir: ", recipe.output_dir.string(), ": expected ");
  if (other_run.empty()) {
    text += concat("the stages as they were begun, found ", changed.size(), " changed; ");
  } else {
    text += concat("the run ", other_run, ", found ", recipe.run_name, "; run_name=", other_run,
                   " goes on with it, ");
  }
  text += "another output_dir leaves what is there, --fresh sets it aside";
  for (const auto& [folder, why] : changed) {
    const fs::path aside = name_aside(recipe.output_dir / folder);
    text += concat("\n  ", folder, " (", aside.filename().string(), " with --fresh): ", why);
  }
  return text;
}

/// What a start is told that would replace an export of other weights.
std::string refusal(const Recipe& recipe, const OtherExport& other) {
  return concat(recipe.origin.place_of(other.key), ": ", other.key, ": ", other.path.string(),
                ": expected nothing there or an earlier export of the same weights, found one of "
                "others; another folder leaves what is there, --fresh sets it aside (",
                name_aside(other.path).filename().string(), ")");
}

}  // namespace

std::vector<StagePlace> place_stages(const Recipe& recipe, std::span<const Json> covers,
                                     const std::optional<RunRecord>& before,
                                     ChangedStages changed) {
  Placement placement(recipe, covers, before);
  placement.find();
  const std::string other_run = placement.is_of_another_run() ? before->run_name : "";
  const bool is_changed = !other_run.empty() || !placement.changed().empty();
  if (changed == ChangedStages::kRefuse) {
    std::string text = is_changed ? refusal(recipe, other_run, placement.changed()) : "";
    for (const OtherExport& other : placement.exports())
      text += concat(text.empty() ? "" : "\n", refusal(recipe, other));
    XKDE_CHECK(text.empty(), ConfigError, text);
  }
  for (const Changed& one : placement.changed()) set_aside(recipe.output_dir / one.folder);
  for (const OtherExport& other : placement.exports()) set_aside(other.path);
  if (is_changed && before) set_aside(recipe.output_dir / kRunFile);
  return placement.take();
}

}  // namespace xkde::recipe
