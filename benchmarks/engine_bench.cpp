// Training steps of the sharded engine on random weights: one JSON line a case, from rank 0.
//   mpirun -n 2 engine_bench [--shape smollm2-135m] [--layers 0] [--shard grads] [--dtype bf16]
//                            [--tokens 1024] [--sequence 128] [--recompute none] [--packs 1]
//                            [--device cpu] [--steps 5]
// Every rank takes --packs packs a step; a step is the forward and backward passes, the reduction
// over ranks and AdamW, timed at its slowest rank. `sol` is the strictly necessary matrix work of
// all ranks at the rate that each measures before the steps, in percent of the step.

#include <algorithm>
#include <cstdint>
#include <exception>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/base/stopwatch.h"
#include "core/model/decoder.h"
#include "core/nn/device_memory.h"
#include "core/nn/products.h"
#include "core/optim/adamw.h"
#include "distributed/comm/gpu_of_rank.h"
#include "distributed/comm/mpi_communicator.h"
#include "distributed/comm/mpi_environment.h"
#include "distributed/comm/nccl_communicator.h"
#include "distributed/planner/machine_presets.h"
#include "distributed/planner/machine_probe.h"
#include "distributed/planner/planner.h"
#include "distributed/sharding/sharded_model.h"

namespace {

using xkde::Decoder;
using xkde::ModelConfig;
using xkde::PackedBatch;
using xkde::TreeSequence;

struct Settings {
  std::string shape = "smollm2-135m";
  int64_t layers = 0;  ///< 0: all of the shape's
  std::string shard = "grads";
  std::string recompute = "none";
  std::string dtype = "bf16";
  std::string device = "cpu";
  int64_t tokens = 1024;   ///< rows of a pack
  int64_t sequence = 128;  ///< tokens of a sequence
  int64_t shared = 0;      ///< leading tokens that the sequences of a pack share
  int64_t packs = 1;       ///< of a rank and step
  int steps = 5;
  int threads = 1;
  std::string commit;
};

struct Shape {
  int64_t vocab, hidden, inner, layers, heads, kv_heads;
  bool tied, bias;
};

/// Sizes of the models' config.json files.
const std::map<std::string, Shape>& shapes() {
  static const std::map<std::string, Shape> all = {
      {"tiny", {512, 64, 160, 2, 4, 2, true, false}},
      {"smollm2-135m", {49152, 576, 1536, 30, 9, 3, true, false}},
      {"qwen2.5-1.5b", {151936, 1536, 8960, 28, 12, 2, true, true}},
      {"qwen2.5-7b", {152064, 3584, 18944, 28, 28, 4, false, true}},
      {"llama2-7b", {32000, 4096, 11008, 32, 32, 32, false, false}}};
  return all;
}

ModelConfig config_of(const Settings& settings) {
  const Shape& shape = shapes().at(settings.shape);
  ModelConfig config;
  config.family = &xkde::family_named(shape.bias ? "qwen2" : "llama");
  config.vocab_size = shape.vocab;
  config.hidden_size = shape.hidden;
  config.intermediate_size = shape.inner;
  config.num_hidden_layers = settings.layers > 0 ? settings.layers : shape.layers;
  config.num_attention_heads = shape.heads;
  config.num_key_value_heads = shape.kv_heads;
  config.head_dim = shape.hidden / shape.heads;
  config.max_position_embeddings = 4096;
  config.tie_word_embeddings = shape.tied;
  config.attention_bias = shape.bias;
  return config;
}

/// Packs of exactly `tokens` rows where the sequence length divides them; half of each sequence's
/// fresh tokens are labelled.
std::vector<PackedBatch> make_packs(const Settings& settings, const Decoder& decoder, int rank,
                                    at::Device device) {
  xkde::RandomStream random(7, "packs", static_cast<uint64_t>(rank));
  const auto vocab = static_cast<uint64_t>(decoder.config().vocab_size);
  const int64_t fresh = settings.sequence - settings.shared;
  const int64_t count = std::max<int64_t>(1, (settings.tokens - settings.shared) / fresh);
  std::vector<PackedBatch> packs;
  for (int64_t p = 0; p < settings.packs; ++p) {
    std::vector<TreeSequence> sequences;
    for (int64_t s = 0; s < count; ++s) {
      TreeSequence sequence;
      for (int64_t t = 0; t < settings.sequence; ++t) {
        sequence.ids.push_back(t < settings.shared ? t : static_cast<int64_t>(random.below(vocab)));
      }
      for (int64_t t = settings.sequence - fresh / 2; t < settings.sequence; ++t) {
        sequence.labels.push_back({t, static_cast<int64_t>(random.below(vocab)),
                                   1.0 / static_cast<double>(count * settings.packs * fresh)});
      }
      sequences.push_back(std::move(sequence));
    }
    auto batches = xkde::pack_sequences(
        sequences,
        {.share_prefixes = settings.shared > 0, .max_tokens = settings.tokens, .device = device});
    packs.push_back(std::move(batches.front()));
  }
  return packs;
}

/// Ones for norms, else the same million normal numbers over and over: drawing billions takes
/// longer than the steps.
void random_weights(const std::string& name, int64_t first, std::span<float> out) {
  if (name.find("norm") != std::string::npos) {
    std::ranges::fill(out, 1.0F);
    return;
  }
  static const at::Tensor pattern = at::normal(0.0, 0.02, {1'000'003});
  const float* values = pattern.const_data_ptr<float>();
  while (!out.empty()) {
    const int64_t at = first % pattern.numel();
    const int64_t length = std::min(std::ssize(out), pattern.numel() - at);
    std::copy_n(values + at, length, out.begin());
    first += length;
    out = out.subspan(static_cast<size_t>(length));
  }
}

/// What the planner says of the packs, which are all alike.
xkde::dist::Plan predicted(const Decoder& decoder, const xkde::dist::EngineOptions& options,
                           int ranks, const std::vector<PackedBatch>& packs) {
  xkde::dist::PlanRequest request;
  request.model = xkde::dist::shape_of(decoder);
  request.ranks = ranks;
  request.options = options;
  request.shard = options.shard;
  request.recompute = options.recompute;
  request.largest = xkde::dist::shape_of(packs.front(), options.device.type());
  request.work = xkde::dist::work_of(packs, options.device.type());
  request.memory = xkde::dist::memory_constants(options.device.type(), options.compute_dtype);
  request.available_bytes = std::numeric_limits<int64_t>::max();
  request.machine = options.device.is_cpu()
                        ? xkde::dist::probe_cpu(decoder, packs.front(), options, ranks)
                        : xkde::dist::machine_preset("h100").machine;
  return xkde::dist::choose_plan(request);
}

double over_ranks(xkde::dist::Communicator& comm, at::Device device, double value,
                  xkde::dist::ReduceOp op) {
  at::Tensor tensor = at::full({1}, value, at::TensorOptions(at::kDouble).device(device));
  comm.all_reduce(tensor, op)->wait();
  return tensor.item<double>();
}

/// Multiply-adds twice: 6 for each parameter of the blocks and token, and of the matrix and label.
double necessary_operations(const Decoder& decoder, const std::vector<PackedBatch>& packs) {
  double tokens = 0, labels = 0;
  for (const PackedBatch& pack : packs) {
    tokens += static_cast<double>(pack.num_tokens());
    labels += static_cast<double>(pack.label_rows.numel());
  }
  const ModelConfig& config = decoder.config();
  return 6.0 * (static_cast<double>(decoder.block_parameters()) * tokens +
                static_cast<double>(config.vocab_size * config.hidden_size) * labels);
}

double run_step(xkde::dist::ShardedModel& model, xkde::AdamW& optimizer,
                const std::vector<PackedBatch>& packs, double* loss) {
  const xkde::Stopwatch watch;
  model.begin_step();
  at::Tensor sum = at::zeros({}, at::TensorOptions(at::kDouble).device(model.gradient().device()));
  for (const PackedBatch& pack : packs) {
    sum += model.forward_backward(&pack, &pack == &packs.back());
  }
  const at::Tensor norm = model.finish_gradients();
  optimizer.step(model.master(), model.gradient(), 1e-5, xkde::clip_scale(norm, 1.0));
  model.masters_changed();
  *loss = sum.item<double>();
  // The update of a device that works asynchronously is part of the step.
  [[maybe_unused]] const float updated = model.master()[0].item<float>();
  return watch.seconds();
}

void run(const Settings& settings, xkde::dist::Communicator& comm, at::Device device) {
  using xkde::dist::kRecomputeNames;
  using xkde::dist::kShardPolicies;
  using xkde::dist::ReduceOp;
  const Decoder decoder(config_of(settings));
  const at::ScalarType dtype = settings.dtype == "fp32" ? at::kFloat : at::kBFloat16;
  const double rate =
      over_ranks(comm, device, xkde::measure_matmul_rate(dtype, device), ReduceOp::kSum);
  const xkde::dist::EngineOptions options{
      .compute_dtype = dtype,
      .shard = *xkde::value_of(kShardPolicies, settings.shard),
      .recompute = *value_of(kRecomputeNames, settings.recompute),
      .device = device};
  const std::vector<PackedBatch> packs = make_packs(settings, decoder, comm.rank(), device);
  const int64_t baseline = xkde::used_bytes(device);
  xkde::reset_peak_bytes(device);
  xkde::dist::ShardedModel model(decoder, comm, options);
  at::manual_seed(7);  // equal weights on all ranks
  model.load(random_weights);
  xkde::AdamW optimizer(model.layout().state_numel, {}, model.decay_ranges(), device);

  double loss = 0;
  std::vector<double> seconds;
  constexpr int kWarmUp = 2;
  for (int step = 0; step < kWarmUp + settings.steps; ++step) {
    comm.barrier();
    const double own = run_step(model, optimizer, packs, &loss);
    const double slowest = over_ranks(comm, device, own, ReduceOp::kMax);
    if (step >= kWarmUp) seconds.push_back(slowest);
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  double tokens = 0;
  for (const PackedBatch& pack : packs) tokens += static_cast<double>(pack.num_tokens());
  tokens = over_ranks(comm, device, tokens, ReduceOp::kSum);
  const double work =
      over_ranks(comm, device, necessary_operations(decoder, packs), ReduceOp::kSum);
  const double peak = over_ranks(
      comm, device, static_cast<double>(xkde::peak_bytes(device) - baseline), ReduceOp::kMax);
  if (comm.rank() != 0) {
    comm.barrier();  // the first rank measures the machine while the others sleep
    return;
  }
  const xkde::dist::Plan plan = predicted(decoder, options, comm.size(), packs);
  comm.barrier();
  const nlohmann::json line = {{"bench", "engine"},
                               {"shape", settings.shape},
                               {"layers", decoder.num_blocks()},
                               {"shard", settings.shard},
                               {"recompute", settings.recompute},
                               {"dtype", settings.dtype},
                               {"device", settings.device},
                               {"backend", comm.backend()},
                               {"ranks", comm.size()},
                               {"threads", settings.threads},
                               {"tokens_per_pack", settings.tokens},
                               {"sequence", settings.sequence},
                               {"shared", settings.shared},
                               {"packs", settings.packs},
                               {"steps", settings.steps},
                               {"loss", loss},
                               {"step_seconds_median", median},
                               {"step_seconds_max", seconds.back()},
                               {"tokens_per_second", tokens / median},
                               {"matmul_tflops_all_ranks", rate / 1e12},
                               {"sol", 100.0 * work / rate / median},
                               {"predicted_seconds", plan.seconds.total()},
                               {"peak_bytes", static_cast<int64_t>(peak)},
                               {"predicted_bytes", plan.memory.peak()},
                               {"predicted_bytes_by_kind", plan.memory.items()},
                               {"predicted_seconds_by_part", plan.seconds.items()},
                               {"commit", settings.commit}};
  std::cout << line.dump() << std::endl;
}

at::Device choose_device(const Settings& settings, const xkde::dist::MpiEnvironment& mpi) {
  if (settings.device == "cpu") return at::kCPU;
  XKDE_CHECK(at::hasCUDA(), xkde::DeviceError,
             "--device cuda: found no GPU in this build and host");
  const int own = xkde::dist::gpu_of_rank(mpi.local_rank(), mpi.local_size());
  return {at::kCUDA, static_cast<c10::DeviceIndex>(own)};
}

CLI::App& add_options(CLI::App& app, Settings& settings) {
  std::vector<std::string> names;
  for (const auto& [name, shape] : shapes()) names.push_back(name);
  app.add_option("--shape", settings.shape)->check(CLI::IsMember(names));
  app.add_option("--layers", settings.layers, "blocks, 0: all")->check(CLI::Range(0, 128));
  const auto names_in = [](const auto& table) {
    std::vector<std::string> known;
    for (const std::string_view name : xkde::names_of(table)) known.emplace_back(name);
    return CLI::IsMember(known);
  };
  app.add_option("--shard", settings.shard)->check(names_in(xkde::dist::kShardPolicies));
  app.add_option("--recompute", settings.recompute)->check(names_in(xkde::dist::kRecomputeNames));
  app.add_option("--dtype", settings.dtype)->check(CLI::IsMember({"bf16", "fp32"}));
  app.add_option("--device", settings.device)->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--tokens", settings.tokens, "rows of a pack")->check(CLI::Range(16, 1 << 20));
  app.add_option("--sequence", settings.sequence, "tokens of one")->check(CLI::Range(4, 4096));
  app.add_option("--shared", settings.shared, "leading tokens that all of a pack share");
  app.add_option("--packs", settings.packs, "of a rank and step")->check(CLI::Range(1, 1024));
  app.add_option("--steps", settings.steps, "timed")->check(CLI::Range(1, 1000));
  app.add_option("--threads", settings.threads, "of a rank")->check(CLI::Range(1, 1024));
  app.add_option("--commit", settings.commit, "copied into the line");
  return app;
}

}  // namespace

int main(int argc, char** argv) {
  xkde::limit_product_cache();
  Settings settings;
  CLI::App app{"Training steps of the sharded engine on random weights"};
  CLI11_PARSE(add_options(app, settings), argc, argv);
  const xkde::dist::MpiEnvironment mpi;
  int exit_code = 0;
  try {
    XKDE_CHECK(settings.shared + 2 <= settings.sequence, xkde::ConfigError,
               "--shared: expected at most ", settings.sequence - 2, ", found ", settings.shared);
    at::set_num_threads(settings.threads);
    const at::Device device = choose_device(settings, mpi);
    const auto host = xkde::dist::make_mpi_communicator(mpi);
    std::unique_ptr<xkde::dist::Communicator> gpu;
    if (device.is_cuda()) gpu = xkde::dist::make_nccl_communicator(*host, device.index());
    run(settings, gpu ? *gpu : *host, device);
  } catch (const xkde::Error& error) {
    std::cerr << "engine_bench: " << error.kind() << ": " << error.what() << std::endl;
    exit_code = static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {  // LibTorch's, out of memory among them
    std::cerr << "engine_bench: " << error.what() << std::endl;
    exit_code = static_cast<int>(xkde::ExitCode::kInternal);
  }
  if (exit_code != 0 && mpi.size() > 1) mpi.abort(exit_code);  // the others may wait
  return exit_code;
}
