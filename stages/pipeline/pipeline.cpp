#include "stages/pipeline/pipeline.h"

#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stopwatch.h"
#include "core/evaluate/results_table.h"
#include "core/io/digest_cache.h"
#include "core/io/file_reader.h"
#include "core/io/sha256.h"
#include "distributed/comm/typed_gather.h"
#include "stages/pipeline/run_plan.h"
#include "stages/pipeline/stage_table.h"
#include "stages/report/write_report.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// Digests of the inputs from one start to the next; in the run's folder.
constexpr const char* kDigestsFile = ".digests.json";

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

fs::path folder_of(const Recipe& recipe, size_t stage) {
  return recipe.output_dir / stage_folder_name(stage, recipe.stages[stage]->name());
}

class Pipeline {
 public:
  Pipeline(const Recipe& recipe, dist::Communicator& comm, at::Device device)
      : recipe_(recipe), comm_(comm), context_(recipe, comm, device) {}

  /// `folder` is null but on rank 0.
  void run(RunFolder* folder) {
    if (folder != nullptr) take_fingerprints(*folder);
    for (size_t i = 0; i < recipe_.stages.size(); ++i) {
      run_stage(i);
      record(i);
    }
    if (context_.is_root()) print_results();
  }

 private:
  /// A stage's fingerprint covers its keys, its files and those of every earlier stage that it
  /// builds on. Each file is hashed once.
  void take_fingerprints(RunFolder& folder) {
    DigestCache digests(recipe_.output_dir / kDigestsFile, {.trust_kept = !recipe_.verify_inputs});
    std::map<fs::path, std::string> inputs;
    const auto digest_of = [&](const fs::path& file) {
      return inputs[file] = digests.digest_of(file);
    };
    std::string model_text;
    for (const fs::path& file : context_.pretrained().files) model_text += digest_of(file);
    const Json all = resolved(recipe_);
    std::string chain =
        sha256_hex(all.at("model").dump() + model_text + std::to_string(recipe_.seed));
    for (size_t i = 0; i < recipe_.stages.size(); ++i) {
      std::string text = chain + all.at("stages").at(i).dump();
      for (const fs::path& file : recipe_.stages[i]->files()) text += digest_of(file);
      fingerprints_.push_back(sha256_hex(text));
      if (recipe_.stages[i]->feeds_later_stages()) chain = fingerprints_.back();
    }
    folder.add_inputs(inputs);
    digests.save();
  }

  StageState state_of(size_t i) const {
    return stage_state(folder_of(recipe_, i), fingerprints_[i]);
  }

  void run_stage(size_t i) {
    const Stage& stage = *recipe_.stages[i];
    const StageRunner& runner = runner_of(stage);
    const fs::path folder = folder_of(recipe_, i);
    const std::string name = folder.filename().string();
    comm_.set_step(name);
    const StageState state =
        dist::broadcast(comm_, context_.is_root() ? state_of(i) : StageState::kFresh);
    if (state == StageState::kDone) {
      log::info(name + ": done before, unchanged");
      if (runner.restore != nullptr) runner.restore(stage, folder, context_);
      return;
    }
    prepare(i);
    if (context_.is_root()) open_stage_folder(folder, fingerprints_[i]);
    comm_.barrier();
    log::info(name + (state == StageState::kStarted ? ": goes on" : ": starts"));
    const Stopwatch watch;
    runner.run(stage, folder, context_);
    comm_.barrier();
    if (context_.is_root()) finish_stage_folder(folder, fingerprints_[i]);
    comm_.barrier();
    log::info(fmt::format("{}: done in {:.1f} s", name, watch.seconds()));
  }

  /// What a finished stage left is the same whether it ran now or before.
  void record(size_t i) {
    const Stage& stage = *recipe_.stages[i];
    if (const auto& leaves = runner_of(stage).leaves)
      context_.artifacts().add(leaves->kind, i, folder_of(recipe_, i) / leaves->name);
    if (stage.changes_model()) context_.artifacts().set_weights_changed();
  }

  /// Before the first stage that has work to do: reads the data of all that have, and decides how
  /// the model is held. Does nothing the second time.
  void prepare(size_t first) {
    if (std::exchange(prepared_, true)) return;
    if (context_.is_root()) {
      const int64_t context_length = context_.decoder().config().max_position_embeddings;
      for (size_t i = first; i < recipe_.stages.size(); ++i) {
        FirstFault inputs(recipe_, i, context_.data().files, context_length);
        if (state_of(i) != StageState::kDone) recipe_.stages[i]->check_inputs(inputs);
      }
    }
    plan();
  }

  /// Rank 0 plans for all; a recipe that does not fit is a ConfigError on all ranks.
  void plan() {
    const int ranks_here = count_ranks_here(comm_);
    std::string refusal;
    dist::EngineOptions options = context_.options();
    if (context_.is_root()) {
      try {
        options = planned(ranks_here);
      } catch (const ConfigError& error) {
        refusal = error.what();
      }
    }
    refusal = dist::broadcast(comm_, refusal);
    XKDE_CHECK(refusal.empty(), ConfigError, refusal);
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
    const std::string table = results_table(rows);
    std::fwrite(table.data(), 1, table.size(), stdout);
    std::fflush(stdout);
  }

  const Recipe& recipe_;
  dist::Communicator& comm_;
  RunContext context_;
  std::vector<std::string> fingerprints_;  ///< of the stages; on rank 0
  bool prepared_ = false;
};

}  // namespace

void run_pipeline(const Recipe& recipe, const RunFacts& facts, dist::Communicator& comm,
                  at::Device device) {
  std::unique_ptr<RunFolder> folder;
  if (comm.rank() == 0) {
    folder = std::make_unique<RunFolder>(recipe.output_dir);
    folder->write_start(recipe, facts);
  }
  try {
    Pipeline(recipe, comm, device).run(folder.get());
  } catch (const std::exception& error) {
    if (folder) folder->write_end(std::string("error: ") + error.what());
    throw;
  }
  if (!folder) return;
  folder->write_end("done");
  report::write_report(recipe.output_dir);
  log::info("report: " + (recipe.output_dir / "report.html").string());
}

void restore_last_training(const Recipe& recipe, RunContext& context) {
  for (size_t i = recipe.stages.size(); i-- > 0;) {
    const Stage& stage = *recipe.stages[i];
    if (!stage.changes_model()) continue;
    const fs::path folder = folder_of(recipe, i);
    XKDE_CHECK(fs::exists(folder / "DONE"), MissingInputError, folder.string(),
               ": expected a finished training stage, found none; run the recipe first");
    runner_of(stage).restore(stage, folder, context);
    return;
  }
}

}  // namespace xkde::recipe
