#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/json_file.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/comm/gpu_of_rank.h"
#include "distributed/comm/mpi_communicator.h"
#include "distributed/comm/mpi_environment.h"
#include "distributed/comm/nccl_communicator.h"
#include "launch/ask.h"
#include "launch/checkpoint_commands.h"
#include "launch/command_line.h"
#include "launch/environment_report.h"
#include "launch/estimate.h"
#include "launch/report.h"
#include "launch/validate.h"
#include "stages/pipeline/pipeline.h"
#include "stages/recipe/recipe.h"
#include "stages/run/stop_request.h"

namespace xkde {
namespace {

struct Failure {
  int exit_code = static_cast<int>(ExitCode::kInternal);
  std::string kind;
  std::string message;
};

/// What the exception in flight means to a user and a scheduler.
Failure describe_current_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return {static_cast<int>(error.exit_code()), error.kind(), error.what()};
  } catch (const std::bad_alloc&) {
    return {static_cast<int>(ExitCode::kOutOfMemory), "MemoryError",
            "out of host memory; a smaller sft.max_tokens_per_pack or more ranks need less"};
  } catch (const std::exception& error) {
    const std::string what = error.what();
    const std::string line = what.substr(0, what.find('\n'));
    const bool memory = what.find("out of memory") != std::string::npos ||
                        what.find("not enough memory") != std::string::npos;
    if (memory) return {static_cast<int>(ExitCode::kOutOfMemory), "MemoryError", line};
    return {static_cast<int>(ExitCode::kInternal), "InternalError", line};
  }
}

at::Device choose_device(const recipe::Recipe& recipe, const dist::MpiEnvironment& mpi) {
  const std::string& backend = recipe.parallel.backend;
  const bool gpu = dist::has_nccl() && at::hasCUDA();
  if (backend == "mpi" || (backend == "auto" && !gpu)) return at::kCPU;
  XKDE_CHECK(gpu, DeviceError,
             "parallel.backend: expected a GPU and a build with NCCL for nccl, found none");
  const int gpus = c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->deviceCount();
  const int own =
      dist::gpu_of_rank(mpi.local_rank(), mpi.local_size(), gpus, dist::ranks_may_share_gpus());
  return {at::kCUDA, static_cast<c10::DeviceIndex>(own)};
}

void set_threads(const recipe::Recipe& recipe, const dist::MpiEnvironment& mpi) {
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  const int share = std::max(1, cores / mpi.local_size());
  at::set_num_threads(recipe.parallel.threads > 0 ? static_cast<int>(recipe.parallel.threads)
                                                  : share);
}

void run_recipe(const RunCommand& command, int argc, char** argv, const dist::MpiEnvironment& mpi) {
  const recipe::Recipe recipe = recipe::read_recipe(command.recipe, command.overrides);
  recipe::install_stop_signals();
  set_threads(recipe, mpi);
  const at::Device device = choose_device(recipe, mpi);
  const std::unique_ptr<dist::Communicator> host = dist::make_mpi_communicator(mpi);
  std::unique_ptr<dist::Communicator> gpu;
  if (device.is_cuda()) gpu = dist::make_nccl_communicator(*host, device.index());
  dist::Communicator& comm = gpu ? *gpu : *host;

  recipe::RunFacts facts;
  facts.argv.assign(argv, argv + argc);
  facts.hosts = mpi.hostnames();
  facts.backend = comm.backend();
  facts.versions = version_report();
  recipe::run_pipeline(recipe, facts, comm, device);
}

/// The run under MPI. Errors are caught here, while MPI is still up: a rank that fails ends the
/// others.
int run_with_mpi(const RunCommand& command, int argc, char** argv) {
  dist::MpiEnvironment mpi;
  log::set_rank(mpi.rank(), mpi.size());
  try {
    run_recipe(command, argc, argv, mpi);
    return static_cast<int>(ExitCode::kDone);
  } catch (...) {
    const Failure failure = describe_current_exception();
    // Every rank reads the same recipe, and stops at the same step: rank 0 speaks for all.
    const bool same_everywhere = failure.exit_code == static_cast<int>(ExitCode::kBadRecipe) ||
                                 failure.exit_code == static_cast<int>(ExitCode::kStopped);
    if (!same_everywhere || mpi.rank() == 0) log::error(failure.kind, failure.message);
    if (mpi.size() > 1) mpi.abort(failure.exit_code);
    return failure.exit_code;
  }
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int dispatch(int argc, char** argv) {
  const Command command = parse_command_line(argc, argv);
  if (const auto* run = std::get_if<RunCommand>(&command)) return run_with_mpi(*run, argc, argv);
  if (const auto* validate = std::get_if<ValidateCommand>(&command)) {
    print(validate_recipe(validate->recipe, validate->overrides));
  } else if (const auto* estimate = std::get_if<EstimateCommand>(&command)) {
    print(
        estimate_recipe(estimate->recipe, estimate->ranks, estimate->machine, estimate->overrides));
  } else if (const auto* ask = std::get_if<AskCommand>(&command)) {
    ask_model(*ask, std::cin, std::cout);
  } else if (const auto* report = std::get_if<ReportCommand>(&command)) {
    print(report_runs(*report));
  } else if (std::holds_alternative<EnvCommand>(command)) {
    print(environment_text());
  } else if (const auto* ls = std::get_if<CkptLsCommand>(&command)) {
    print(list_checkpoints(ls->path));
  } else if (const auto* verify = std::get_if<CkptVerifyCommand>(&command)) {
    print(verify_checkpoints(verify->path));
  } else if (const auto* out = std::get_if<CkptExportCommand>(&command)) {
    print(export_checkpoint(out->path, out->out, out->model, out->dtype));
  } else if (std::holds_alternative<HelpCommand>(command)) {
    print(help_text());
  } else {
    print(version_text() + "\n");
  }
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace
}  // namespace xkde

int main(int argc, char** argv) {
  try {
    return xkde::dispatch(argc, argv);
  } catch (...) {
    const xkde::Failure failure = xkde::describe_current_exception();
    xkde::log::error(failure.kind, failure.message);
    return failure.exit_code;
  }
}
