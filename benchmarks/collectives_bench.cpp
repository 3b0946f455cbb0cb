// Collectives of the MPI communicator beside MPI's own: one JSON line a case, from rank 0.
//   mpirun -n 2 collectives_bench [--megabytes 32] [--repeats 30] [--transport shared|messages]
//                               [--chunk-kilobytes 2048]
// Bus bandwidth counts the bytes that have to cross between ranks: (N-1)/N of the whole tensor,
// twice that for an all-reduce. The time of a repeat is that of its slowest rank.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <CLI/CLI.hpp>
#include <mpi.h>
#include <nlohmann/json.hpp>

#include "core/base/stopwatch.h"
#include "distributed/comm/mpi_communicator.h"
#include "distributed/comm/mpi_environment.h"
#include "distributed/comm/mpi_handles.h"

namespace {

using xkde::dist::mpi_check;

struct Settings {
  int64_t megabytes = 32;
  int repeats = 30;
  std::string transport = "shared";
  int64_t chunk_kilobytes = 0;  ///< 0: the communicator's default
};

struct Case {
  std::string operation;
  std::string library;
  at::ScalarType dtype;
  double volume;  ///< crossings of the whole tensor
  std::function<void()> run;
};

double slowest(double seconds) {
  double worst = 0;
  mpi_check(MPI_Allreduce(&seconds, &worst, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD),
            "MPI_Allreduce");
  return worst;
}

void measure(const Case& c, const Settings& settings, int rank, int size) {
  constexpr int kWarmUp = 3;
  std::vector<double> seconds;
  for (int i = 0; i < kWarmUp + settings.repeats; ++i) {
    mpi_check(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
    const xkde::Stopwatch stopwatch;
    c.run();
    const double worst = slowest(stopwatch.seconds());
    if (i >= kWarmUp) seconds.push_back(worst);
  }
  if (rank != 0) return;
  std::sort(seconds.begin(), seconds.end());
  const auto bytes = static_cast<double>(settings.megabytes << 20) * c.volume * (size - 1) / size;
  const double median = seconds[seconds.size() / 2];
  const double p95 = seconds[std::min(seconds.size() - 1, seconds.size() * 95 / 100)];
  const nlohmann::json line = {{"bench", "collectives"},
                               {"operation", c.operation},
                               {"library", c.library},
                               {"dtype", c10::toString(c.dtype)},
                               {"ranks", size},
                               {"megabytes", settings.megabytes},
                               {"median_ms", median * 1e3},
                               {"p95_ms", p95 * 1e3},
                               {"bus_gb_per_s_median", bytes / median / 1e9},
                               {"bus_gb_per_s_p95", bytes / p95 / 1e9}};
  std::cout << line.dump() << std::endl;
}

/// Ours and, where MPI has the element type, MPI's own, on the same buffers.
std::vector<Case> make_cases(xkde::dist::Communicator& comm, const at::Tensor& full,
                             const at::Tensor& shard, const std::string& name) {
  using xkde::dist::ReduceOp;
  const auto dtype = full.scalar_type();
  const auto shard_bytes = static_cast<int>(shard.nbytes());
  std::vector<Case> cases = {
      {"all_gather", name, dtype, 1,
       [&comm, full, shard] { comm.all_gather(full, shard)->wait(); }},
      {"reduce_scatter", name, dtype, 1,
       [&comm, full, shard] { comm.reduce_scatter(shard, full, ReduceOp::kSum)->wait(); }},
      {"all_reduce", name, dtype, 2,
       [&comm, full] { comm.all_reduce(full, ReduceOp::kSum)->wait(); }},
      {"all_gather", "MPI", dtype, 1, [=] {
         mpi_check(MPI_Allgather(shard.const_data_ptr(), shard_bytes, MPI_BYTE,
                                 full.mutable_data_ptr(), shard_bytes, MPI_BYTE, MPI_COMM_WORLD),
                   "MPI_Allgather");
       }}};
  if (dtype != at::kFloat) return cases;
  const auto count = static_cast<int>(shard.numel());
  cases.push_back({"reduce_scatter", "MPI", dtype, 1, [=] {
                     mpi_check(
                         MPI_Reduce_scatter_block(full.const_data_ptr(), shard.mutable_data_ptr(),
                                                  count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD),
                         "MPI_Reduce_scatter_block");
                   }});
  cases.push_back({"all_reduce", "MPI", dtype, 2, [=] {
                     mpi_check(MPI_Allreduce(MPI_IN_PLACE, full.mutable_data_ptr(),
                                             static_cast<int>(full.numel()), MPI_FLOAT, MPI_SUM,
                                             MPI_COMM_WORLD),
                               "MPI_Allreduce");
                   }});
  return cases;
}

void run(const xkde::dist::MpiEnvironment& environment, const Settings& settings) {
  using xkde::dist::MpiTransport;
  const auto transport =
      settings.transport == "messages" ? MpiTransport::kMessages : MpiTransport::kAuto;
  xkde::dist::MpiOptions options{.transport = transport};
  if (settings.chunk_kilobytes > 0) options.chunk_bytes = settings.chunk_kilobytes << 10;
  const auto comm = make_mpi_communicator(environment, options);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const int64_t numel =
        (settings.megabytes << 20) / static_cast<int64_t>(c10::elementSize(dtype));
    // Ones, not zeros: pages that nobody has written to are all the same one.
    const auto full = at::ones({numel / comm->size() * comm->size()}, dtype);
    const auto shard = at::ones({numel / comm->size()}, dtype);
    for (const Case& c : make_cases(*comm, full, shard, "xkde " + settings.transport)) {
      measure(c, settings, environment.rank(), environment.size());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{"Collectives of the MPI communicator beside MPI's own"};
  app.add_option("--megabytes", settings.megabytes, "size of the whole tensor")
      ->check(CLI::Range(1, 1024));
  app.add_option("--repeats", settings.repeats, "timed calls a case")->check(CLI::Range(1, 10000));
  app.add_option("--transport", settings.transport, "how ranks exchange")
      ->check(CLI::IsMember({"shared", "messages"}));
  app.add_option("--chunk-kilobytes", settings.chunk_kilobytes, "shared memory: of one phase")
      ->check(CLI::Range(4, 1 << 20));
  CLI11_PARSE(app, argc, argv);
  const xkde::dist::MpiEnvironment environment;
  run(environment, settings);
  return 0;
}
