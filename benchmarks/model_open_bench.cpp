// Opening a model as a run does: each rank reads its share of the weights into fp32 masters.
//   mpirun -n 2 model_open_bench --model MODEL [--shard full] [--threads 1]
// One JSON line from rank 0: seconds from nothing to masters, tokenizer and config among them, at
// the slowest rank; the peak resident set above what the process had before, of the largest rank;
// the bytes of a rank's masters.

#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/process_memory.h"
#include "core/base/stopwatch.h"
#include "core/model/decoder.h"
#include "core/model/pretrained/pretrained.h"
#include "distributed/comm/mpi_communicator.h"
#include "distributed/comm/mpi_environment.h"
#include "distributed/sharding/sharded_model.h"

namespace {

struct Settings {
  std::string model;
  std::string shard = "none";
  int threads = 1;
};

double largest(xkde::dist::Communicator& comm, double value) {
  const at::Tensor tensor = at::full({1}, value, at::kDouble);
  comm.all_reduce(tensor, xkde::dist::ReduceOp::kMax)->wait();
  return tensor.item<double>();
}

void run(const Settings& settings, xkde::dist::Communicator& comm) {
  const xkde::dist::EngineOptions options{
      .compute_dtype = at::kFloat,
      .shard = *xkde::value_of(xkde::dist::kShardPolicies, settings.shard)};
  xkde::reset_peak_resident_bytes();
  const int64_t before = xkde::resident_bytes();
  const xkde::Stopwatch watch;
  const xkde::PretrainedModel pretrained = xkde::open_pretrained(settings.model);
  const xkde::Decoder decoder(pretrained.config);
  xkde::dist::ShardedModel model(decoder, comm, options);
  model.load([&](const std::string& name, int64_t first, std::span<float> out) {
    xkde::read_finite_f32(*pretrained.weights, settings.model, name, first, out);
  });
  const double seconds = largest(comm, watch.seconds());
  const double peak = largest(comm, static_cast<double>(xkde::peak_resident_bytes() - before));
  if (comm.rank() != 0) return;
  const int64_t share = model.master().numel() * model.master().element_size();
  const nlohmann::json line = {
      {"bench", "model_open"}, {"shard", settings.shard},
      {"ranks", comm.size()},  {"threads", settings.threads},
      {"seconds", seconds},    {"peak_bytes", static_cast<int64_t>(peak)},
      {"share_bytes", share},  {"peak_to_share", peak / static_cast<double>(share)}};
  std::cout << line.dump() << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{"Opening a model: seconds and memory"};
  std::vector<std::string> policies;
  for (const std::string_view name : xkde::names_of(xkde::dist::kShardPolicies)) {
    policies.emplace_back(name);
  }
  app.add_option("--model", settings.model, "Hugging Face folder or GGUF file")->required();
  app.add_option("--shard", settings.shard)->check(CLI::IsMember(policies));
  app.add_option("--threads", settings.threads, "of a rank")->check(CLI::Range(1, 1024));
  CLI11_PARSE(app, argc, argv);
  const xkde::dist::MpiEnvironment mpi;
  int exit_code = 0;
  try {
    at::set_num_threads(settings.threads);
    const auto comm = xkde::dist::make_mpi_communicator(mpi);
    run(settings, *comm);
  } catch (const xkde::Error& error) {
    std::cerr << "model_open_bench: " << error.kind() << ": " << error.what() << std::endl;
    exit_code = static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {  // LibTorch's, out of memory among them
    std::cerr << "model_open_bench: " << error.what() << std::endl;
    exit_code = static_cast<int>(xkde::ExitCode::kInternal);
  }
  if (exit_code != 0 && mpi.size() > 1) mpi.abort(exit_code);  // the others may wait
  return exit_code;
}
