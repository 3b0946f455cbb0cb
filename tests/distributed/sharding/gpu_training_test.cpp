// Training on a GPU against the same training on one CPU rank.

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <gtest/gtest.h>

#include "core/base/rng.h"
#include "distributed/comm/gpu_of_rank.h"
#include "distributed/comm/mpi_communicator.h"
#include "distributed/comm/nccl_communicator.h"
#include "distributed/comm/thread_communicator.h"
#include "distributed/sharding/sharded_model.h"
#include "tests/distributed/comm/mpi_test_environment.h"

namespace xkde::dist {
namespace {

/// Heads of 16: what flash_takes() takes in bf16.
ModelConfig small_config() {
  ModelConfig config;
  config.vocab_size = 53;
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 16;
  config.max_position_embeddings = 64;
  return config;
}

void random_weights(const std::string& name, int64_t first, std::span<float> out) {
  RandomStream random(7, name);
  const bool norm = name.find("norm") != std::string::npos;
  for (int64_t i = -first; i < std::ssize(out); ++i) {
    const double value = (random.uniform() - 0.5) * 0.2 + (norm ? 1.0 : 0.0);
    if (i >= 0) out[static_cast<size_t>(i)] = static_cast<float>(value);
  }
}

/// Ten sequences of one beginning, branching again and again.
std::vector<TreeSequence> sequences() {
  RandomStream random(11, "sequences");
  std::vector<TreeSequence> result;
  for (int64_t i = 0; i < 10; ++i) {
    TreeSequence sequence{{1, 2, 3, i % 2, i % 3}, {}};
    while (sequence.ids.size() < 14) {
      sequence.ids.push_back(static_cast<int64_t>(random.below(53)));
    }
    for (int64_t t = 8; t < 14; ++t) {
      sequence.labels.push_back({t, static_cast<int64_t>(random.below(53)), 1.0 / 60});
    }
    result.push_back(std::move(sequence));
  }
  return result;
}

struct Curve {
  std::vector<double> losses, norms;
};

Curve train(const Decoder& decoder, Communicator& comm, const EngineOptions& options) {
  ShardedModel model(decoder, comm, options);
  model.load(random_weights);
  AdamW optimizer(model.layout().state_numel, {.weight_decay = 0.01}, model.decay_ranges(),
                  options.device);
  std::vector<TreeSequence> part;
  const std::vector<TreeSequence> all = sequences();
  for (size_t i = 0; i < all.size(); ++i) {
    if (static_cast<int>(i) % comm.size() == comm.rank()) part.push_back(all[i]);
  }
  const auto packs = pack_sequences(part, {.device = options.device});
  Curve curve;
  for (int step = 0; step < 5; ++step) {
    model.begin_step();
    at::Tensor loss = model.forward_backward(&packs.at(0), true).reshape({1});
    comm.all_reduce(loss, ReduceOp::kSum)->wait();
    curve.losses.push_back(loss.item<double>());
    const at::Tensor norm = model.finish_gradients();
    optimizer.step(model.master(), model.gradient(), 1e-2, clip_scale(norm, 1.0));
    curve.norms.push_back(norm.item<double>());
    model.masters_changed();
  }
  return curve;
}

struct Case {
  at::ScalarType dtype;
  ShardMode shard;
  double tolerance;
};

class GpuTraining : public testing::TestWithParam<Case> {};
// fp32 by other kernels (no TF32); bf16 has 8 bits of mantissa, losses are around 4.
INSTANTIATE_TEST_SUITE_P(Modes, GpuTraining,
                         testing::Values(Case{at::kFloat, ShardMode::kGrads, 1e-4},
                                         Case{at::kFloat, ShardMode::kFull, 1e-4},
                                         Case{at::kBFloat16, ShardMode::kGrads, 0.06},
                                         Case{at::kBFloat16, ShardMode::kFull, 0.06}));

TEST_P(GpuTraining, HasTheLossCurveOfOneCpuRank) {
  if (!has_nccl() || !at::hasCUDA()) GTEST_SKIP() << "needs a GPU, and a build with CUDA and NCCL";
  const MpiEnvironment& mpi = mpi_test_environment();
  const int gpus = c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->deviceCount();
  if (gpus < mpi.local_size() && !ranks_may_share_gpus()) GTEST_SKIP() << "needs more GPUs";
  const int gpu = gpu_of_rank(mpi.local_rank(), mpi.local_size(), gpus, ranks_may_share_gpus());
  const Decoder decoder(small_config());
  Curve expected;
  run_ranks(1, [&](Communicator& comm) { expected = train(decoder, comm, {}); });
  ASSERT_LT(expected.losses.back(), expected.losses.front());
  const auto host = make_mpi_communicator(mpi, {.timeout_s = 60});
  const auto comm = make_nccl_communicator(*host, gpu, {.timeout_s = 60});

  const Curve got = train(decoder, *comm,
                          {.compute_dtype = GetParam().dtype,
                           .shard = GetParam().shard,
                           .recompute = Recompute::kBlock,
                           .device = at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(gpu))});

  for (size_t i = 0; i < expected.losses.size(); ++i) {
    EXPECT_NEAR(got.losses[i], expected.losses[i], GetParam().tolerance) << "step " << i;
    EXPECT_NEAR(got.norms[i], expected.norms[i], 10 * GetParam().tolerance) << "step " << i;
  }
}

}  // namespace
}  // namespace xkde::dist
