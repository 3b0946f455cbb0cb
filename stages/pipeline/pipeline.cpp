#include "stages/pipeline/pipeline.h"

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/memory_failure.h"
#include "core/base/standard_output.h"
#include "core/base/stop_signals.h"
#include "core/base/stopwatch.h"
#include "core/evaluate/results/results_table.h"
#include "core/evaluate/scorer_agreement.h"
#include "core/io/digest_cache.h"
#include "core/io/file_reader.h"
#include "distributed/comm/agreement.h"
#include "distributed/comm/typed_gather.h"
#include "stages/edit/keys.h"
#include "stages/follow/live_report.h"
#include "stages/follow/rank_log.h"
#include "stages/pipeline/run_plan.h"
#include "stages/pipeline/stage_covers.h"
#include "stages/pipeline/stage_table.h"
#include "stages/recipe/run_record.h"
#include "stages/report/write_report.h"
#include "stages/run/output_path.h"
#include "stages/run/stage_folder.h"
#include "stages/run/stop_request.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// Reads the inputs of one stage; the first one that is bad throws.
class FirstFault final : public InputChecker {
 public:
  FirstFault(const Recipe& recipe, size_t stage, LoadedData& files, int64_t context_length)
      : InputChecker(files, context_length), recipe_(recipe), stage_(stage) {}
  bool opens(const std::string& /*key*/, const fs::path& /*input*/,
             const std::string& /*expected*/) override {
    return true;
  }
  void reads(const std::string& /*key*/, const std::function<void()>& read) override { read(); }
  void refuse(const std::string& key, const std::string& what) override {
    const std::string path = recipe_.origin.stage_paths.at(stage_) + "." + key;
    throw ConfigError(concat(recipe_.origin.place_of(path), ": ", path, ": ", what));
  }

 private:
  const Recipe& recipe_;
  size_t stage_;
};

/// The folder that run.json gives to a stage of the recipe; empty where it has other stages.
fs::path folder_before(const Recipe& recipe, size_t stage) {
  const std::optional<RunRecord> record = read_run_record(recipe.output_dir);
  if (!record || record->stages.size() != recipe.stages.size()) return {};
  const std::string& name = record->stages[stage];
  const bool is_of_kind = name.ends_with(concat('-', recipe.stages[stage]->name()));
  return is_of_kind ? recipe.output_dir / name : fs::path();
}

/// Adds to an error for lack of memory where it came up, and what would need less. Any other passes
/// as it is. To be called where `error` is caught.
[[noreturn]] void rethrow_from(const std::string& place, std::string_view lighter,
                               const std::exception& error) {
  std::optional<std::string> what = memory_failure(error);
  if (dynamic_cast<const MemoryError*>(&error) != nullptr) what = error.what();
  if (!what) throw;
  throw MemoryError(
      concat(place, ": ", *what, lighter.empty() ? "" : "; needs less with ", lighter));
}

class Pipeline {
 public:
  Pipeline(const Recipe& recipe, dist::Communicator& comm, at::Device device)
      : recipe_(recipe), comm_(comm), context_(recipe, comm, device) {}

  /// `folder` is null but on rank 0.
  void run(RunFolder* folder, const RunFacts& facts, ChangedStages changed) {
    at_root([&] { take_places(*folder, facts, changed); });
    share_places();
    for (size_t i = 0; i < recipe_.stages.size(); ++i) {
      run_stage(i);
      record(i);
    }
    if (context_.is_root()) print_results();
  }

 private:
  /// What rank 0 does alone, while the others wait; its error is the error of all. Collective.
  void at_root(const std::function<void()>& work) {
    dist::agree_on(comm_, [&] {
      if (context_.is_root()) work();
    });
  }

  /// Finds the stages' folders, by the contents of all inputs. Each file is hashed once. Only then
  /// is run.json this run's.
  void take_places(RunFolder& folder, const RunFacts& facts, ChangedStages changed) {
    DigestCache digests(recipe_.output_dir / kDigestsFile, {.trust_kept = !recipe_.verify_inputs});
    std::map<fs::path, std::string> inputs;
    const std::vector<Json> covers = covers_of_stages(recipe_, context_.pretrained().files,
                                                      context_.data().files, digests, inputs);
    digests.save();
    places_ = place_stages(recipe_, covers, folder.before(), changed);
    std::vector<std::string> names;
    for (const StagePlace& place : places_) names.push_back(place.folder);
    folder.write_start(recipe_, facts, names);
    folder.add_inputs(inputs);
  }

  /// Tells the other ranks of the places, but for the fingerprints.
  void share_places() {
    std::vector<std::string> names;
    std::vector<StageState> states;
    for (const StagePlace& place : places_) {
      names.push_back(place.folder);
      states.push_back(place.state);
    }
    names = dist::broadcast(comm_, names);
    states = dist::broadcast(comm_, states);
    places_.resize(names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      places_[i].folder = names[i];
      places_[i].state = states[i];
    }
  }

  fs::path folder_of(size_t i) const { return recipe_.output_dir / places_[i].folder; }

  void run_stage(size_t i) {
    const Stage& stage = *recipe_.stages[i];
    const StageRunner& runner = runner_of(stage);
    const std::string& name = places_[i].folder;
    const StageState state = places_[i].state;
    const fs::path folder = folder_of(i);
    comm_.set_step(name);
    XKDE_CHECK(!stop_requested_anywhere(comm_), StopRequested, "stopped on request before ", name,
               ", finished stages kept in ", recipe_.output_dir.string());
    if (state == StageState::kDone) {
      log::info(name + ": done before, unchanged");
      if (runner.restore != nullptr) runner.restore(stage, folder, context_);
      return;
    }
    prepare(i);
    at_root([&] { open_stage_folder(folder, places_[i].fingerprint); });
    log::info(name + (state == StageState::kStarted ? ": goes on" : ": starts"));
    const Stopwatch watch;
    try {
      runner.run(stage, folder, context_);
    } catch (const std::exception& error) {
      rethrow_from(name, runner.lighter, error);
    }
    comm_.barrier();
    at_root([&] { finish_stage_folder(folder, places_[i].fingerprint); });
    log::info(fmt::format("{}: done in {:.1f} s", name, watch.seconds()));
  }

  /// What a finished stage left is the same whether it ran now or before.
  void record(size_t i) {
    const Stage& stage = *recipe_.stages[i];
    if (const auto& leaves = runner_of(stage).leaves)
      context_.artifacts().add(leaves->kind, i, folder_of(i) / leaves->name);
    if (stage.changes_model()) context_.artifacts().set_weights_changed();
  }

  /// Before the first stage that has work to do: reads the data of all that have, and decides how
  /// the model is held. Does nothing the second time.
  void prepare(size_t first) {
    if (std::exchange(prepared_, true)) return;
    at_root([&] {
      const int64_t context_length = context_.decoder().config().context_length();
      for (size_t i = first; i < recipe_.stages.size(); ++i) {
        check_stop();
        FirstFault inputs(recipe_, i, context_.data().files, context_length);
        if (places_[i].state == StageState::kDone) continue;
        const Stage& stage = *recipe_.stages[i];
        stage.check_inputs(inputs);
        const StageRunner& runner = runner_of(stage);
        if (runner.demand)
          runner.demand->check(stage, context_.pretrained(), context_.chat_template());
        if (runner.check_at_start != nullptr) {
          const RunPlace place{};  // where makes no difference
          runner.check_at_start(stage, {recipe_, i, context_.pretrained(), context_.chat_template(),
                                        place, context_.artifacts(), context_.data()});
        }
      }
    });
    plan();
  }

  /// Rank 0 plans for all.
  void plan() {
    const int ranks_here = count_ranks_here(comm_);
    dist::EngineOptions options = context_.options();
    at_root([&] { options = planned(ranks_here); });
    options.shard = dist::broadcast(comm_, options.shard);
    options.recompute = dist::broadcast(comm_, options.recompute);
    context_.set_options(options);
  }

  /// The options of the plan, with a line about it; where no stage trains, those of the recipe.
  dist::EngineOptions planned(int ranks_here) {
    dist::EngineOptions options = context_.options();
    const RunPlace place =
        this_place(comm_.size(), ranks_here, options.device, options.compute_dtype);
    const std::optional<RunPlan> run =
        plan_run(recipe_, context_.pretrained(), context_.chat_template(), context_.decoder(),
                 place, context_.data(), context_.artifacts());
    if (!run) return options;
    const dist::EngineOptions& chosen = run->plan.options;
    log::info(fmt::format("plan: shard {}, recompute {}, {} a rank of {} ({})",
                          chosen.policy().name, name_of(dist::kRecomputeNames, chosen.recompute),
                          dist::in_gigabytes(run->plan.memory.peak()),
                          dist::in_gigabytes(place.bytes), run->plan.reason));
    options.shard = chosen.shard;
    options.recompute = chosen.recompute;
    return options;
  }

  void print_results() const {
    std::vector<ResultRow> rows;
    for (const fs::path& file : context_.artifacts().files(ArtifactKind::kResults)) {
      for (ResultRow& row : parse_results(
               parse_json(read_text(file, FileOrigin::kOwn), file.string()), file.string()))
        rows.push_back(std::move(row));
    }
    std::string text = results_table(rows, output_columns());
    for (const fs::path& file : context_.artifacts().files(ArtifactKind::kResults)) {
      const fs::path statistics = file.parent_path() / kStatisticsFile;
      const auto told = text_if_there(statistics, FileOrigin::kOwn);
      if (!told) continue;
      const std::string agreement = agreement_text(
          parse_agreement(parse_json(*told, statistics.string()), statistics.string()),
          file.parent_path().filename().string(), output_columns());
      if (!agreement.empty()) text += "\n" + agreement;
    }
    print(text);
  }

  const Recipe& recipe_;
  dist::Communicator& comm_;
  RunContext context_;
  std::vector<StagePlace> places_;  ///< of the stages
  bool prepared_ = false;
};

/// The stages that left the weights with which the recipe ends, in their order: the last one, and
/// those whose weights it left in place.
std::vector<size_t> last_weights(const Recipe& recipe) {
  std::vector<size_t> stages;
  bool has_adapter = false;
  for (size_t i = recipe.stages.size(); i-- > 0;) {
    const Stage& stage = *recipe.stages[i];
    const bool trains_adapter = stage.adapter() != nullptr;
    // A later adapter went on from an earlier one.
    if (!stage.changes_model() || (trains_adapter && has_adapter)) continue;
    stages.insert(stages.begin(), i);
    has_adapter |= trains_adapter;
    if (!trains_adapter && stage.name() != EditStage::kName) break;
  }
  return stages;
}

/// On rank 0 of a run that shall have one, and where the system has a thread for it.
std::unique_ptr<LiveReport> live_report_of(const Recipe& recipe, bool is_root) {
  if (!is_root || !recipe.live_report) return nullptr;
  try {
    return std::make_unique<LiveReport>(
        [run = recipe.output_dir] { report::write_live_report(run); });
  } catch (const std::system_error& error) {
    log::warning(concat("live report: no thread, ", error.what(), "; the run goes on without it"));
    return nullptr;
  }
}

/// The run has its own reason to end, which these files are about: what hinders them is a warning.
void end_unfinished(const Recipe& recipe, RunFolder& folder, const std::string& reason) {
  const auto try_to = [](const char* what, const auto& write) {
    try {
      write();
    } catch (const std::exception& error) {
      log::warning(concat(what, ": ", error.what()));
    }
  };
  try_to(kRunFile, [&] { folder.write_end(reason); });
  // The page of a run that goes on says so, and must not any longer.
  if (recipe.live_report) try_to("report", [&] { report::write_live_report(recipe.output_dir); });
}

}  // namespace

void run_pipeline(const Recipe& recipe, const RunFacts& facts, dist::Communicator& comm,
                  at::Device device, ChangedStages changed) {
  std::unique_ptr<RunFolder> folder;
  dist::agree_on(comm, [&] {
    if (comm.rank() != 0) return;
    check_outputs(recipe);
    folder = std::make_unique<RunFolder>(recipe.output_dir);
    // What an earlier start wrote stays until this one is sure to go on with it.
    if (!folder->before()) folder->write_start(recipe, facts);
  });
  start_rank_log(recipe, comm);
  try {
    const std::unique_ptr<LiveReport> page = live_report_of(recipe, folder != nullptr);
    Pipeline(recipe, comm, device).run(folder.get(), facts, changed);
  } catch (const StopRequested&) {
    if (folder) end_unfinished(recipe, *folder, "stopped on request");
    throw;
  } catch (const std::exception& error) {
    if (folder) end_unfinished(recipe, *folder, std::string("error: ") + error.what());
    throw;
  }
  if (!folder) return;
  folder->write_end("done");
  const std::vector<report::Survival> survived = report::write_report(recipe.output_dir);
  if (!survived.empty()) print("\n" + report::survival_table(survived, output_columns()));
  log::info("report: " + (recipe.output_dir / kReportFile).string());
}

void restore_last_training(const Recipe& recipe, RunContext& context) {
  for (const size_t i : last_weights(recipe)) {
    const Stage& stage = *recipe.stages[i];
    const fs::path folder = folder_before(recipe, i);
    XKDE_CHECK(!folder.empty() && is_done(folder), MissingInputError,
               (folder.empty() ? recipe.output_dir : folder).string(),
               ": expected a finished training stage, found none; run the recipe first");
    runner_of(stage).restore(stage, folder, context);
  }
}

}  // namespace xkde::recipe
