#include "stages/pipeline/pipeline.h"

#include <exception>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stopwatch.h"
#include "core/evaluate/results_table.h"
#include "core/io/sha256.h"
#include "core/model/encoders/sentence_encoder.h"
#include "stages/build_data/stage.h"
#include "stages/evaluate/eval_inputs.h"
#include "stages/evaluate/stage.h"
#include "stages/export/stage.h"
#include "stages/preference/rank_stage.h"
#include "stages/preference/sample_stage.h"
#include "stages/report/write_report.h"
#include "stages/run/run_context.h"
#include "stages/train/finished_training.h"
#include "stages/train/orpo_stage.h"
#include "stages/train/sft_stage.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// The data files that a stage reads. Loading them here also finds bad data before any work is
/// done.
std::set<fs::path> files_of(const Stage& any) {
  std::set<fs::path> files;
  if (const auto* build = std::get_if<BuildDataStage>(&any)) {
    files = build_data_files(*build);
  } else if (const auto* evaluate = std::get_if<EvaluateStage>(&any)) {
    for (const fs::path& file : eval_files(*evaluate, read_eval_inputs(*evaluate)))
      files.insert(file);
    if (evaluate->retriever) {
      for (const fs::path& file : sentence_encoder_files(evaluate->retriever->model_name_or_path))
        files.insert(file);
    }
  } else if (const auto* sft = std::get_if<SftStage>(&any)) {
    if (!sft->uses_built_data()) files.insert(sft->train_data);
  } else if (const auto* sample = std::get_if<SampleStage>(&any)) {
    if (!sample->uses_built_data()) files.insert(sample->train_data);
  } else if (const auto* rank = std::get_if<RankStage>(&any)) {
    if (rank->samples != RankStage::kSampled) files.insert(rank->samples);
    for (const fs::path& file : reward_files(*rank)) files.insert(file);
  } else if (const auto* orpo = std::get_if<OrpoStage>(&any)) {
    if (orpo->pairs != OrpoStage::kRanked) files.insert(orpo->pairs);
  } else if (const auto* exported = std::get_if<ExportStage>(&any)) {
    if (!exported->memory.empty()) files.insert(exported->memory);
  }
  return files;
}

class Pipeline {
 public:
  Pipeline(const Recipe& recipe, dist::Communicator& comm, at::Device device)
      : recipe_(recipe), comm_(comm), context_(recipe, comm, device) {}

  void run(RunFolder* folder) {
    plan(folder);
    for (size_t i = 0; i < recipe_.stages.size(); ++i) run_stage(i);
    if (context_.is_root()) print_results();
  }

 private:
  fs::path folder_of(size_t i) const {
    return recipe_.output_dir / stage_folder_name(i, stage_name(recipe_.stages[i]));
  }

  /// A stage's fingerprint covers its keys, its files and those of every earlier stage that it
  /// builds on.
  void plan(RunFolder* folder) {
    std::string fingerprints;
    if (context_.is_root()) {
      std::set<fs::path> inputs(context_.pretrained().files.begin(),
                                context_.pretrained().files.end());
      std::string model_text;
      for (const fs::path& file : context_.pretrained().files) model_text += sha256_of_file(file);
      const Json all = resolved(recipe_);
      std::string chain =
          sha256_hex(all.at("model").dump() + model_text + std::to_string(recipe_.seed));
      for (size_t i = 0; i < recipe_.stages.size(); ++i) {
        std::string text = chain + all.at("stages").at(i).dump();
        for (const fs::path& file : files_of(recipe_.stages[i])) {
          inputs.insert(file);
          text += sha256_of_file(file);
        }
        const std::string fingerprint = sha256_hex(text);
        fingerprints += fingerprint;
        const bool changes_nothing = std::holds_alternative<EvaluateStage>(recipe_.stages[i]) ||
                                     std::holds_alternative<ExportStage>(recipe_.stages[i]);
        if (!changes_nothing) chain = fingerprint;
      }
      folder->add_inputs({inputs.begin(), inputs.end()});
    }
    fingerprints = comm_.broadcast_bytes(fingerprints, 0);
    for (size_t i = 0; i < recipe_.stages.size(); ++i) {
      fingerprints_.push_back(fingerprints.substr(i * 64, 64));
    }
  }

  StageState open(size_t i) {
    std::string state;
    if (context_.is_root()) {
      state = std::to_string(static_cast<int>(open_stage_folder(folder_of(i), fingerprints_[i])));
    }
    return static_cast<StageState>(std::stoi(comm_.broadcast_bytes(state, 0)));
  }

  void run_stage(size_t i) {
    const Stage& stage = recipe_.stages[i];
    const fs::path folder = folder_of(i);
    const std::string name = stage_folder_name(i, stage_name(stage));
    const StageState state = open(i);
    if (state == StageState::kDone) {
      log::info(name + ": done before, unchanged");
      skip(stage, folder);
      return;
    }
    context_.plan();
    log::info(name + (state == StageState::kStarted ? ": goes on" : ": starts"));
    const Stopwatch watch;
    if (const auto* build = std::get_if<BuildDataStage>(&stage)) {
      run_build_data(*build, folder, context_);
    } else if (const auto* sft = std::get_if<SftStage>(&stage)) {
      run_sft(*sft, folder, context_);
      context_.trained = true;
    } else if (const auto* sample = std::get_if<SampleStage>(&stage)) {
      run_sample(*sample, folder, context_);
    } else if (const auto* rank = std::get_if<RankStage>(&stage)) {
      run_rank(*rank, folder, context_);
    } else if (const auto* orpo = std::get_if<OrpoStage>(&stage)) {
      run_orpo(*orpo, folder, context_);
      context_.trained = true;
    } else if (const auto* evaluate = std::get_if<EvaluateStage>(&stage)) {
      run_evaluate(*evaluate, folder, context_);
    } else {
      run_export(std::get<ExportStage>(stage), context_);
    }
    comm_.barrier();
    if (context_.is_root()) finish_stage_folder(folder, fingerprints_[i]);
    comm_.barrier();
    log::info(fmt::format("{}: done in {:.1f} s", name, watch.seconds()));
  }

  void skip(const Stage& stage, const fs::path& folder) {
    if (std::holds_alternative<BuildDataStage>(stage)) {
      context_.train_file = folder / kTrainFile;
    } else if (std::holds_alternative<SampleStage>(stage)) {
      context_.samples_file = folder / kSamplesFile;
    } else if (std::holds_alternative<RankStage>(stage)) {
      context_.pairs_file = folder / kPairsFile;
    } else if (train_keys(stage) != nullptr) {
      std::string chosen;
      if (context_.is_root()) chosen = finished_checkpoint(stage, folder).string();
      context_.use_checkpoint(comm_.broadcast_bytes(chosen, 0));
      context_.trained = true;
    }
  }

  void print_results() const {
    std::vector<ResultRow> rows;
    for (size_t i = 0; i < recipe_.stages.size(); ++i) {
      if (!std::holds_alternative<EvaluateStage>(recipe_.stages[i])) continue;
      const fs::path file = folder_of(i) / "results.json";
      for (ResultRow& row : parse_results(read_json_file(file), file.string())) {
        rows.push_back(std::move(row));
      }
    }
    const std::string table = results_table(rows);
    std::fwrite(table.data(), 1, table.size(), stdout);
    std::fflush(stdout);
  }

  const Recipe& recipe_;
  dist::Communicator& comm_;
  RunContext context_;
  std::vector<std::string> fingerprints_;
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

}  // namespace xkde::recipe
