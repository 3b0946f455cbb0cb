#include "launch/run_recipe.h"

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <ATen/ATen.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/standard_output.h"
#include "core/base/stop_signals.h"
#include "distributed/comm/collective_call.h"
#include "distributed/comm/gpu_of_rank.h"
#include "distributed/comm/mpi_communicator.h"
#include "distributed/comm/mpi_environment.h"
#include "distributed/comm/nccl_communicator.h"
#include "distributed/job/heartbeat.h"
#include "distributed/job/launcher.h"
#include "launch/environment_report.h"
#include "launch/failure.h"
#include "launch/rank_ends.h"
#include "launch/validate.h"
#include "stages/pipeline/pipeline.h"
#include "stages/pipeline/sample_preview.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"
#include "stages/run/rank_threads.h"

namespace xkde {
namespace {

at::Device choose_device(const recipe::Recipe& recipe, const dist::MpiEnvironment& mpi) {
  const std::optional<recipe::Backend> backend = recipe.parallel.backend;
  const bool gpu = dist::has_nccl() && at::hasCUDA();
  if (backend == recipe::Backend::kMpi || (!backend && !gpu)) return at::kCPU;
  XKDE_CHECK(gpu, DeviceError,
             "parallel.backend: expected a GPU and a build with NCCL for nccl, found none");
  const int own = dist::gpu_of_rank(mpi.local_rank(), mpi.local_size());
  return {at::kCUDA, static_cast<c10::DeviceIndex>(own)};
}

/// Has LibTorch take kernels that add in a fixed order; an operation that has none says so in a
/// warning. Comes before the first kernel: cuBLAS looks at its variable when it starts. CPU kernels
/// need no asking.
void fix_order_of_sums() {
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
}

/// Starts to watch over the ranks. A lost run ends here: neither MPI nor the launcher is asked, as
/// both may wait for what is lost.
std::unique_ptr<dist::Heartbeat> watch_over(dist::Communicator& host, double timeout_s) {
  if (host.size() == 1 || timeout_s == 0) return nullptr;
  dist::HeartbeatOptions options;
  options.timeout_s = timeout_s;
  options.place = [note = host.note()] { return dist::title(note->read()); };
  options.on_warning = [](const std::string& line) { log::warning(line); };
  options.on_lost = [](const std::string& reason) { log::error("CommError", reason); };
  options.end = [] { std::_Exit(static_cast<int>(ExitCode::kPeerLost)); };
  auto heartbeat = std::make_unique<dist::Heartbeat>(
      host.rank(), [&host](const std::string& bytes) { return host.all_gather_bytes(bytes); },
      std::move(options));
  if (!heartbeat->problem().empty() && host.rank() == 0) {
    log::warning("heartbeat: " + heartbeat->problem() +
                 "; a lost host is found by parallel.timeout only");
  }
  return heartbeat;
}

void run_recipe(const RunCommand& command, const std::vector<std::string>& argv,
                const dist::MpiEnvironment& mpi, std::unique_ptr<dist::Heartbeat>& heartbeat) {
  const RecipeArguments& arguments = command.arguments;
  const recipe::Recipe recipe =
      recipe::read_recipe(arguments.recipe, recipe::kStageParsers, arguments.overrides);
  const at::Device device = choose_device(recipe, mpi);
  const double timeout_s = recipe.parallel.timeout;
  const auto host = dist::make_mpi_communicator(mpi, {.timeout_s = timeout_s});
  heartbeat = watch_over(*host, recipe.parallel.heartbeat_timeout);
  recipe::set_threads_of_rank(recipe.parallel.threads, *host);
  std::unique_ptr<dist::Communicator> gpu;
  if (device.is_cuda()) {
    const bool deterministic = recipe.parallel.deterministic;
    if (deterministic) fix_order_of_sums();
    gpu = dist::make_nccl_communicator(*host, device.index(),
                                       {.timeout_s = timeout_s, .deterministic = deterministic});
  }
  dist::Communicator& comm = gpu ? *gpu : *host;

  recipe::RunFacts facts;
  facts.argv = argv;
  facts.hosts = mpi.hostnames();
  facts.backend = comm.backend();
  facts.versions = version_report();
  recipe::run_pipeline(recipe, facts, comm, device, command.changed_stages());
}

/// Of a process that its launcher and MPI see differently. One line for all, from the first.
int refuse(const dist::LauncherMismatch& mismatch) {
  constexpr auto code = ExitCode::kNoDevice;
  if (mismatch.rank == 0) {
    log::error("DeviceError", mismatch.message);
  } else {
    // A launcher ends all when the first one ends, which must not be before the line is out.
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  return static_cast<int>(code);
}

/// What is said when a run is asked to stop. Of what was saved nothing is lost if it is killed
/// before it has stopped, as mpirun does a second after Ctrl-C.
constexpr const char* kAtStop =
    "asked to stop: ends when it has saved; if it is killed first, what was saved before is kept, "
    "and the same command goes on from there\n";

/// How long a rank that fails waits for the others to say that they fail alike.
double patience_for(ExitCode code) {
  switch (code) {
    case ExitCode::kPeerLost:
      return 0.0;  // somebody is not there any more
    case ExitCode::kStopped:
    case ExitCode::kBadRecipe:
      return 10.0;  // every rank reads the same recipe, and ranks agree to stop
    default:
      return 1.0;
  }
}

/// Tells how the run ended, each text once where all ranks end alike, and ends it: in peace where
/// they do, so that mpirun has nothing to add, else at once for all.
int end_with(const Failure& failure, const dist::MpiEnvironment& mpi, dist::Heartbeat* heartbeat) {
  const auto code = static_cast<ExitCode>(failure.exit_code);
  const dist::RankEnd own{failure.exit_code, std::hash<std::string>()(failure.message)};
  const auto ends = mpi.ends_of_ranks(own, patience_for(code));
  const bool together = ends && end_alike(*ends);
  if (mpi.rank() == 0 && code == ExitCode::kStopped) {
    log::info(failure.message + "; to go on, run the same command again");
  } else if (!together || (speaks(*ends, mpi.rank()) && code != ExitCode::kStopped)) {
    log::error(failure.kind, failure.message);
  } else {
    log::note(failure.kind + ": " + failure.message);
  }
  if (together) return failure.exit_code;
  if (heartbeat != nullptr) heartbeat->fail();
  mpi.abort(failure.exit_code);
  return failure.exit_code;
}

}  // namespace

std::string_view RunCommand::summary() const {
  return "run the stages of the recipe, one after another; what is complete is skipped, what was "
         "interrupted goes on. Where a key that changes results differs from the start before, "
         "nothing runs. Without mpirun or srun it runs as one rank";
}

std::vector<std::string_view> RunCommand::examples() const {
  return {"xkde_dist recipes/quickstart.yaml",
          "mpirun -n 2 xkde_dist recipes/quickstart.yaml",
          "mpirun -n 8 xkde_dist recipe.yaml sft.learning_rate=5e-6 "
          "'evaluate.test_languages=[de,zh]'",
          "xkde_dist recipe.yaml --fresh sft.max_steps=200",
          "xkde_dist recipe.yaml --dry-run --show-samples 3",
          "xkde_dist runs/quickstart/run.json output_dir=runs/again"};
}

void RunCommand::define(CLI::App& app) {
  arguments.define(app);
  app.add_flag("--fresh", fresh,
               "stages that would end otherwise now begin anew; their folders and exports of other "
               "weights are set aside (02-sft.old-1)");
  app.add_flag(
      "--dry-run", dry_run,
      "check all that `validate` checks, and run nothing; with --fresh, but for what would be "
      "set aside");
  app.add_option("--show-samples", shown_samples,
                 "of a dry run: so many samples of the first stage that trains, token by token, "
                 "with what is trained between marks")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N");
}

void RunCommand::check(std::span<const std::string> names) {
  arguments.check("xkde_dist", names);
  XKDE_CHECK(dry_run || shown_samples == 0, UsageError,
             "expected --dry-run beside --show-samples, found none");
}

recipe::ChangedStages RunCommand::changed_stages() const {
  return fresh ? recipe::ChangedStages::kSetAside : recipe::ChangedStages::kRefuse;
}

int RunCommand::rehearse() const {
  print(validate_recipe(arguments.recipe, arguments.overrides, changed_stages()));
  if (shown_samples > 0) {
    const recipe::Recipe recipe =
        recipe::read_recipe(arguments.recipe, recipe::kStageParsers, arguments.overrides);
    print(recipe::preview_samples(recipe, shown_samples));
  }
  return static_cast<int>(ExitCode::kDone);
}

int RunCommand::run() {
  if (dry_run) return rehearse();
  std::unique_ptr<dist::Heartbeat> heartbeat;  // outlives MPI, whose end is a wait for all, too
  dist::MpiEnvironment mpi;
  const auto mismatch = dist::launcher_mismatch(std::getenv, mpi.size(), dist::mpi_library());
  if (mismatch) return refuse(*mismatch);
  log::set_rank(mpi.rank(), mpi.size());
  if (mpi.rank() == 0) say_at_stop(kAtStop);
  try {
    run_recipe(*this, argv_, mpi, heartbeat);
    return static_cast<int>(ExitCode::kDone);
  } catch (...) {
    return end_with(describe_current_exception(), mpi, heartbeat.get());
  }
}

}  // namespace xkde
