#include "distributed/planner/machine_probe.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/host_threads.h"
#include "core/base/stopwatch.h"
#include "core/loss/token_loss.h"
#include "core/optim/adamw.h"
#include "distributed/planner/machine_presets.h"

namespace xkde::dist {
namespace {

constexpr int kRounds = 3;
// Of the rate of sums over data beyond every cache, what a collective through a shared window
// reaches: its chunks stay in the last cache, but are written and read once more, and awaited.
constexpr double kLinkShare = 0.125;
// The kernel's slice of a core that ranks share.
constexpr double kTurn = 3e-3;

template <typename Body>
double fastest_seconds(const Body& body) {
  body();  // first touches and packings are not what a step pays
  double best = 0.0;
  for (int round = 0; round < kRounds; ++round) {
    const Stopwatch watch;
    body();
    best = round == 0 ? watch.seconds() : std::min(best, watch.seconds());
  }
  return best;
}

/// Forward and backward passes of one block, gradients of its weights included.
double block_seconds(const Decoder& decoder, const PackedBatch& batch, at::ScalarType dtype) {
  const auto type = at::TensorOptions().dtype(dtype);
  const int64_t numel = decoder.units()[1].numel();
  std::vector<at::Tensor> inputs;
  for (const at::Tensor& tensor : decoder.parameters(1, at::randn({numel}, type) * 0.02)) {
    inputs.push_back(tensor.detach().requires_grad_(true));
  }
  const std::vector<at::Tensor> weights = inputs;
  const BlockContext context = decoder.context(batch, dtype);
  const at::Tensor x =
      at::randn({batch.num_tokens(), decoder.config().hidden_size}, type).requires_grad_(true);
  const at::Tensor gradient = at::randn_like(x);
  inputs.push_back(x);
  return fastest_seconds([&] {
    torch::autograd::grad({decoder.block(weights, x, context.of(0))}, inputs, {gradient});
  });
}

/// Operations a second of the loss over a chunk of rows, with a part of a large vocabulary.
double head_rate(const Decoder& decoder, at::ScalarType dtype) {
  constexpr int64_t kMostRows = 16384;
  const int64_t width = decoder.config().hidden_size;
  const int64_t vocabulary = std::min(decoder.config().vocab_size, kMostRows);
  const int64_t rows = default_chunk_rows(at::kCPU);
  const auto type = at::TensorOptions().dtype(dtype);
  const at::Tensor hidden = at::randn({rows, width}, type);
  const at::Tensor matrix = at::randn({vocabulary, width}, type) * 0.02;
  const at::Tensor targets = at::zeros({rows}, at::kLong);
  const at::Tensor weights = at::ones({rows}, at::kFloat);
  at::Tensor matrix_grad = at::zeros({vocabulary, width}, at::kFloat);
  const double seconds =
      fastest_seconds([&] { linear_cross_entropy(hidden, matrix, targets, weights, matrix_grad); });
  return 6.0 * static_cast<double>(rows * vocabulary * width) / seconds;
}

/// Elements a second of AdamW.
double optimizer_rate() {
  constexpr int64_t kNumel = int64_t{4} << 20;
  AdamW optimizer(kNumel, {}, {{0, kNumel, true}}, at::kCPU);
  at::Tensor master = at::ones({kNumel}, at::kFloat);
  const at::Tensor gradient = at::ones({kNumel}, at::kFloat);
  const at::Tensor scale = at::scalar_tensor(1.0, at::kDouble);
  const double seconds = fastest_seconds([&] { optimizer.step(master, gradient, 1e-5, scale); });
  return static_cast<double>(kNumel) / seconds;
}

/// Bytes read and written a second by a sum over data beyond every cache.
double memory_rate() {
  constexpr int64_t kNumel = int64_t{16} << 20;
  at::Tensor sum = at::ones({kNumel}, at::kFloat);
  const at::Tensor term = at::ones({kNumel}, at::kFloat);
  return 3.0 * 4.0 * static_cast<double>(kNumel) / fastest_seconds([&] { sum.add_(term); });
}

}  // namespace

MachineConstants probe_cpu(const Decoder& decoder, const PackedBatch& batch,
                           const EngineOptions& options, int ranks) {
  // Ranks whose threads outnumber the CPUs take turns.
  const double cpus = usable_cpus();
  const double share = std::min(1.0, cpus / (static_cast<double>(ranks) * at::get_num_threads()));

  MachineConstants machine = cpu_constants(options.compute_dtype, at::get_num_threads());
  machine.memory_bytes_per_s = memory_rate();
  machine.elementwise_bytes_per_s = machine.memory_bytes_per_s;

  ModelShape block = shape_of(decoder);
  block.block_multiply_adds /= block.layers;
  block.layers = 1;
  StepWork work;
  work.tokens = static_cast<double>(batch.num_tokens());
  work.pairs = static_cast<double>(shape_of(batch, c10::kCPU).pairs);
  const double seconds = block_seconds(decoder, batch, options.compute_dtype);
  machine.matmul_flops = fitted_matmul_flops(block, options, work, machine, seconds);
  machine.head_flops = head_rate(decoder, options.compute_dtype);
  machine.optimizer_elements_per_s = optimizer_rate();
  machine.link = shared_memory_link(kLinkShare * machine.memory_bytes_per_s);

  machine.matmul_flops *= share;
  machine.head_flops *= share;
  machine.optimizer_elements_per_s *= share;
  machine.memory_bytes_per_s *= share;
  machine.elementwise_bytes_per_s *= share;
  machine.link.bytes_per_s *= share;
  if (share < 1.0) machine.link.turn_s = kTurn;
  return machine;
}

}  // namespace xkde::dist
