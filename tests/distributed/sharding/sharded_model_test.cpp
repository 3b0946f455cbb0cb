#include "distributed/sharding/sharded_model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/odd_model.h"

namespace xkde::dist {
namespace {

struct Curve {
  std::vector<double> losses, norms;
};

struct Training {
  OptimizerKind optimizer = OptimizerKind::kAdamW;
  uint64_t steps = 10;
  double learning_rate = 1e-2;
};

/// Steps on 7 sequences a step, shared out round robin; rank 0's view.
Curve train(int ranks, bool tied, EngineOptions options, PackOptions pack = {},
            const Training& training = {}) {
  const Decoder decoder(odd_config(tied));
  options.shard_align = std::max(options.shard_align, entry_of(training.optimizer).block);
  Curve curve;
  run_ranks(ranks, [&](Communicator& comm) {
    ShardedModel model(decoder, comm, options);
    model.load(random_weights);
    const auto optimizer = make_optimizer(training.optimizer, model.layout().state_numel,
                                          {.weight_decay = 0.01}, model.decay_ranges());
    for (uint64_t step = 0; step < training.steps; ++step) {
      const std::vector<TreeSequence> all = random_sequences(7, step % 2);
      const auto packs = pack_sequences(part_of(all, comm.rank(), ranks), pack);
      model.begin_step();
      double loss = 0;
      for (size_t i = 0; i < all.size(); ++i) {  // more rounds than packs: the rest are empty
        loss += model.forward_backward(i < packs.size() ? &packs[i] : nullptr, i + 1 == all.size())
                    .item<double>();
      }
      at::Tensor sum = at::full({1}, loss, at::kDouble);
      comm.all_reduce(sum, ReduceOp::kSum)->wait();
      const at::Tensor norm = model.finish_gradients();
      optimizer->step(model.master(), model.gradient(), training.learning_rate,
                      clip_scale(norm, 1.0));
      model.masters_changed();
      if (comm.rank() != 0) continue;
      curve.losses.push_back(sum.item<double>());
      curve.norms.push_back(norm.item<double>());
    }
  });
  return curve;
}

void expect_equal(const Curve& got, const Curve& expected, double tolerance) {
  ASSERT_EQ(got.losses.size(), expected.losses.size());
  for (size_t i = 0; i < got.losses.size(); ++i) {
    EXPECT_NEAR(got.losses[i], expected.losses[i], tolerance) << "step " << i;
    EXPECT_NEAR(got.norms[i], expected.norms[i], 10 * tolerance) << "step " << i;
  }
}

class ShardedModelModes : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(TiedAndUntied, ShardedModelModes, testing::Bool());

TEST_P(ShardedModelModes, EveryRankCountAndModeGivesTheLossCurveOfOneRank) {
  const Curve plain = train(1, GetParam(), {}, {.share_prefixes = false, .max_sequences = 1});
  EXPECT_LT(plain.losses[8], plain.losses[0]);  // it does learn: both steps see the same data

  for (const int ranks : {1, 2, 3, 4}) {
    for (const ShardMode shard :
         {ShardMode::kFull, ShardMode::kGrads, ShardMode::kOptimizer, ShardMode::kNone}) {
      for (const Recompute recompute : {Recompute::kBlock, Recompute::kNone}) {
        SCOPED_TRACE(concat(ranks, " ranks, mode ", static_cast<int>(shard), ", recompute ",
                            static_cast<int>(recompute)));
        // fp32 sums in another order: 1e-5 over ten steps. Two packs a rank, so sums span packs.
        expect_equal(train(ranks, GetParam(), {.shard = shard, .recompute = recompute},
                           {.max_sequences = 2}),
                     plain, 1e-5);
      }
    }
  }
}

TEST_P(ShardedModelModes, CopiesOfShardsGiveTheLossCurveOfOneRank) {
  const Curve plain = train(1, GetParam(), {});
  for (const ShardMode shard : {ShardMode::kFull, ShardMode::kGrads, ShardMode::kOptimizer}) {
    SCOPED_TRACE(static_cast<int>(shard));
    expect_equal(train(4, GetParam(), {.shard = shard, .replicate = 2}, {.max_sequences = 1}),
                 plain, 1e-5);
    expect_equal(train(3, GetParam(), {.shard = shard, .replicate = 3}), plain, 1e-5);
  }
}

TEST_P(ShardedModelModes, GatheringAheadChangesNoBit) {
  for (const int64_t prefetch : {1, 2, 9}) {
    expect_equal(train(2, GetParam(), {.shard = ShardMode::kFull, .prefetch = prefetch}),
                 train(2, GetParam(), {.shard = ShardMode::kFull}), 0.0);
  }
}

TEST_P(ShardedModelModes, OptimizerInHostMemoryChangesNoBit) {
  expect_equal(train(2, GetParam(), {.offload_optimizer = true}), train(2, GetParam(), {}), 0.0);
}

TEST_P(ShardedModelModes, FreeingWeightsOnOneShardChangesNoBit) {
  for (const Recompute recompute : {Recompute::kBlock, Recompute::kNone}) {
    for (const at::ScalarType dtype : {at::kBFloat16, at::kFloat}) {
      EngineOptions options{
          .compute_dtype = dtype, .shard = ShardMode::kNone, .recompute = recompute};
      const Curve stays = train(1, GetParam(), options, {.max_sequences = 2});
      options.frees_weights = true;
      expect_equal(train(1, GetParam(), options, {.max_sequences = 2}), stays, 0.0);
    }
  }
}

TEST_P(ShardedModelModes, GradientsThatTravelInBf16StayNear) {
  const Curve plain = train(1, GetParam(), {});
  for (const ShardMode shard : {ShardMode::kGrads, ShardMode::kOptimizer, ShardMode::kNone}) {
    const Curve rounded =
        train(3, GetParam(), {.shard = shard, .grad_reduce_dtype = at::kBFloat16});
    for (size_t i = 0; i < plain.losses.size(); ++i) {
      EXPECT_NEAR(rounded.losses[i], plain.losses[i], 0.02) << "step " << i;
    }
    EXPECT_NE(rounded.norms, plain.norms);  // it does round
  }
}

TEST_P(ShardedModelModes, KeepingActivationsEqualsRecomputingThem) {
  const Curve kept = train(2, GetParam(), {.recompute = Recompute::kNone});
  const Curve again = train(2, GetParam(), {.recompute = Recompute::kBlock});

  expect_equal(kept, again, 1e-7);
}

TEST_P(ShardedModelModes, Bf16StaysNearFp32) {
  const Curve wide = train(1, GetParam(), {});
  const Curve narrow = train(2, GetParam(), {.compute_dtype = at::kBFloat16});

  // bf16 has 8 bits of mantissa: losses around 4 agree to about one per cent.
  for (size_t i = 0; i < wide.losses.size(); ++i) {
    EXPECT_NEAR(narrow.losses[i], wide.losses[i], 0.06) << "step " << i;
  }
}

TEST_P(ShardedModelModes, MomentsInBytesLearnAsThoseInFp32) {
  Training training{.steps = 40, .learning_rate = 1e-3};
  const Curve wide = train(1, GetParam(), {}, {}, training);
  training.optimizer = OptimizerKind::kAdamW8bit;
  const Curve narrow = train(1, GetParam(), {}, {}, training);

  EXPECT_LT(wide.losses.back(), 0.9 * wide.losses.front());
  // A code is off by up to half of its widest step (adamw_8bit_test): 0.9 / 128 of a block's
  // largest mean, 0.9 / 256 of its largest square. The mean has that in the 0.9 / (1 - 0.9) updates
  // that follow, and the square, whose root is taken, half of it in 0.95 / (1 - 0.95). Roundings of
  // 40 steps lie evenly around 0, apart from each other. So they leave, of the way that an element
  // of the largest size goes, a standard deviation of
  const double of_mean = 0.9 / 128 * 0.9 / (1 - 0.9);
  const double of_square = 0.9 / 256 * 0.95 / (1 - 0.95) / 2;
  const double deviation = std::hypot(of_mean, of_square) / std::sqrt(3.0 * 40);
  // Three of them are allowed, of the way that the loss went: as if all elements erred alike.
  const double learnt = wide.losses.front() - wide.losses.back();
  EXPECT_NEAR(narrow.losses.back(), wide.losses.back(), 3 * deviation * learnt);
  EXPECT_NE(narrow.losses, wide.losses);

  // Blocks are the same on any number of ranks; a sum in another order may move a code.
  training.steps = 10;
  const Curve alone = train(1, GetParam(), {}, {}, training);
  for (const ShardMode shard : {ShardMode::kFull, ShardMode::kNone})
    expect_equal(train(3, GetParam(), {.shard = shard}, {}, training), alone, 1e-3);
}

TEST(ShardedModel, PredictionsDoNotDependOnPackingOrRanks) {
  const Decoder decoder(odd_config(false));
  const std::vector<TreeSequence> sequences = random_sequences(6, 3);
  std::vector<std::vector<int64_t>> results;
  for (const int ranks : {1, 3}) {
    for (const bool share : {true, false}) {
      run_ranks(ranks, [&](Communicator& comm) {
        ShardedModel model(decoder, comm, {});
        model.load(random_weights);
        model.make_resident();
        std::vector<int64_t> ids(sequences.size() * 3);
        for (const PackedBatch& batch : pack_sequences(sequences, {.share_prefixes = share})) {
          const at::Tensor predicted = model.predict(batch);
          std::vector<size_t> seen(sequences.size());
          for (size_t i = 0; i < batch.label_sequence.size(); ++i) {
            const auto owner = static_cast<size_t>(batch.label_sequence[i]);
            ids[owner * 3 + seen[owner]++] = predicted[static_cast<int64_t>(i)].item<int64_t>();
          }
        }
        if (comm.rank() == 0) results.push_back(ids);
      });
    }
  }

  for (const auto& ids : results) EXPECT_EQ(ids, results.front());
}

TEST(ShardedModel, LogProbabilitiesOfAllTargetsAreThoseOfOneDistribution) {
  const Decoder decoder(odd_config(false));
  TreeSequence sequence{{1, 2, 3}, {}};
  for (int64_t target = 0; target < decoder.config().vocab_size; ++target)
    sequence.labels.push_back({1, target, 0.0});
  run_ranks(1, [&](Communicator& comm) {
    ShardedModel model(decoder, comm, {});
    model.load(random_weights);
    model.make_resident();
    const PackedBatch batch = pack_sequences(std::vector{sequence}, {}).front();

    const at::Tensor log_probs = model.label_log_probs(batch);

    EXPECT_EQ(log_probs.scalar_type(), at::kFloat);
    EXPECT_NEAR(log_probs.to(at::kDouble).exp().sum().item<double>(), 1.0, 1e-5);  // fp32 logits
    const auto best = batch.label_targets[log_probs.argmax()].item<int64_t>();
    EXPECT_EQ(best, model.predict(batch)[0].item<int64_t>());
    // Of two of them at one row.
    sequence.labels.resize(1);
    const PackedBatch row = pack_sequences(std::vector{sequence}, {}).front();
    const at::Tensor words = model.label_log_probs(row, at::tensor({4, 2}, at::kLong));
    EXPECT_EQ(words.sizes(), at::IntArrayRef({1, 2}));
    EXPECT_NEAR(words[0][0].item<float>(), log_probs[4].item<float>(), 1e-5);  // as above
    EXPECT_NEAR(words[0][1].item<float>(), log_probs[2].item<float>(), 1e-5);
  });
}

TEST(ShardedModel, MastersComeBackAsTheyWereLoaded) {
  const Decoder decoder(odd_config(true));
  run_ranks(3, [&](Communicator& comm) {
    ShardedModel model(decoder, comm, {});
    model.load(random_weights);

    const std::map<std::string, at::Tensor> tensors = model.gather_masters();

    if (comm.rank() != 0) return;
    EXPECT_EQ(tensors.size(), 1U + 3U * 12U + 1U);
    for (const auto& [name, tensor] : tensors) {
      std::vector<float> expected(static_cast<size_t>(tensor.numel()));
      random_weights(name, 0, expected);
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), tensor.const_data_ptr<float>()))
          << name;
    }
  });
}

TEST(ShardedModel, ARankReadsNoMoreThanItsShard) {
  const Decoder decoder(odd_config(true));
  for (const int ranks : {1, 2, 3}) {
    run_ranks(ranks, [&](Communicator& comm) {
      ShardedModel model(decoder, comm, {});
      int64_t asked = 0;
      model.load([&](const std::string& name, int64_t first, std::span<float> out) {
        random_weights(name, first, out);
        asked += std::ssize(out);
      });

      EXPECT_GT(asked, 0);
      EXPECT_LE(asked, model.layout().state_numel);
    });
  }
}

TEST(ShardedModel, OpeningAndAskingHoldNoMoreThanTheMasters) {
  const Decoder decoder(odd_config(true));
  const auto packs = pack_sequences(random_sequences(4), {});
  run_ranks(1, [&](Communicator& comm) {
    const CountingAllocator allocator;
    const int64_t before = allocator.live();
    ShardedModel model(decoder, comm, {});
    model.load(random_weights);
    const auto masters = static_cast<double>(model.master().nbytes());
    const auto held = [&](int64_t bytes) { return static_cast<double>(bytes - before) / masters; };
    EXPECT_LE(held(allocator.peak()), 1.2);

    model.log_probs(&packs.front());
    model.make_resident();
    model.predict(packs.front());
    EXPECT_LE(held(allocator.live()), 1.2);

    model.begin_step();
    model.forward_backward(&packs.front(), true);
    EXPECT_GE(held(allocator.live()), 2.0);  // and the gradient sums
  });
}

TEST(ShardedModel, LookingThePadTokenUpTeachesItNothing) {
  ModelConfig config = odd_config(false);
  config.pad_token_id = 2;  // in every sequence
  const Decoder decoder(config);
  run_ranks(1, [&](Communicator& comm) {
    ShardedModel model(decoder, comm, {});
    model.load(random_weights);
    const auto packs = pack_sequences(random_sequences(3, 0), {});
    model.begin_step();
    model.forward_backward(&packs.front(), true);

    const at::Tensor rows = decoder.parameters(0, model.gradient()).front();
    EXPECT_EQ(rows[2].abs().max().item<float>(), 0.0F);
    EXPECT_GT(rows[3].abs().max().item<float>(), 0.0F);
  });
}

TEST(ShardedModel, RefusesCopiesThatDoNotDivideTheRanks) {
  const Decoder decoder(odd_config(true));
  EXPECT_THROW(
      run_ranks(3, [&](Communicator& comm) { ShardedModel(decoder, comm, {.replicate = 2}); }),
      ConfigError);
}

}  // namespace
}  // namespace xkde::dist
