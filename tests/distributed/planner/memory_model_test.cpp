#include "distributed/planner/memory_model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "benchmarks/published_curves.h"
#include "distributed/sharding/shard_layout.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/golden_models.h"

namespace xkde::dist {
namespace {

// Numbers that padding changes: 100 parameters are not a multiple of 16 per shard.
ModelShape odd_model() {
  return {.layers = 2,
          .hidden = 8,
          .inner = 16,
          .queries = 8,
          .keys = 4,
          .heads = 2,
          .vocabulary = 50,
          .unit_numels = {400, 612, 612, 408},
          .block_multiply_adds = 1152};
}

PackShape pack() { return {.tokens = 10, .labels = 3, .pairs = 55}; }

MemoryByKind bytes_of(const EngineOptions& options, int ranks) {
  return predict_memory(odd_model(), options, ranks, pack(), {});
}

EngineOptions in_bf16(ShardMode shard) { return {.compute_dtype = c10::kBFloat16, .shard = shard}; }

TEST(MemoryModel, PadsStatesAsTheLayoutDoes) {
  std::vector<UnitLayout> units;
  for (const int64_t numel : odd_model().unit_numels) {
    units.push_back({.name = "u", .slots = {{.name = "t", .shape = {numel}}}});
  }

  for (const int shards : {1, 2, 3, 7}) {
    EXPECT_EQ(state_numel(odd_model(), shards), make_layout(units, shards).state_numel) << shards;
  }
}

TEST(MemoryModel, OneRankInFp32HoldsSixteenBytesAParameter) {
  const MemoryByKind bytes = bytes_of({.compute_dtype = c10::kFloat}, 1);
  const int64_t padded = 400 + 624 + 624 + 416;

  EXPECT_EQ(bytes.masters, 4 * padded);
  EXPECT_EQ(bytes.optimizer, 8 * padded);
  EXPECT_EQ(bytes.gradients, 4 * padded);
  EXPECT_EQ(bytes.gathered, 0);
}

/// odd_model() with frozen weights and an adapter of 100 parameters a block.
ModelShape adapted_model() {
  ModelShape model = odd_model();
  model.adapter_numels = {100, 100};
  model.adapter_width = 4;
  return model;
}

TEST(MemoryModel, HoldsFrozenWeightsOnceAndTrainsTheAdapterAlone) {
  const EngineOptions options = in_bf16(ShardMode::kNone);
  const MemoryByKind bytes = predict_memory(adapted_model(), options, 1, pack(), {});
  const int64_t padded = 400 + 624 + 624 + 416;
  const int64_t adapter = 112 + 112;

  EXPECT_EQ(bytes.frozen, 2 * padded);
  EXPECT_EQ(bytes.gathered, 0);
  EXPECT_EQ(bytes.masters, 4 * adapter);
  EXPECT_EQ(bytes.optimizer, 8 * adapter);
  EXPECT_EQ(bytes.gradients, 4 * adapter);
  EXPECT_EQ(bytes_of(options, 1).frozen, 0);
  EXPECT_EQ(state_numel(adapted_model().trained(), 1), adapter);
}

TEST(MemoryModel, ShardsFrozenWeightsAndGathersTheBlocksAtWork) {
  const MemoryByKind bytes =
      predict_memory(adapted_model(), in_bf16(ShardMode::kFull), 2, pack(), {});

  EXPECT_EQ(bytes.frozen, 2 * (208 + 320 + 320 + 208));
  EXPECT_EQ(bytes.gathered, 2 * (416 + 416 + 640));
}

TEST(MemoryModel, MomentsInBytesTakeTwoBytesAndTwoScalesABlock) {
  MemoryConstants constants{.saves_async = true, .optimizer = OptimizerKind::kAdamW8bit};
  const EngineOptions options = in_bf16(ShardMode::kNone);
  const MemoryByKind narrow = predict_memory(odd_model(), options, 1, pack(), constants);
  constants.optimizer = OptimizerKind::kAdamW;
  const MemoryByKind wide = predict_memory(odd_model(), options, 1, pack(), constants);
  const int64_t state = 400 + 624 + 624 + 416;

  EXPECT_EQ(narrow.optimizer, state * 520 / 256);
  EXPECT_EQ(narrow.checkpoint, 4 * state + narrow.optimizer);
  EXPECT_EQ(wide.checkpoint, 12 * state);
  EXPECT_EQ(wide.peak() - narrow.peak(), 2 * (wide.optimizer - narrow.optimizer));
}

TEST(MemoryModel, HoldsBlocksAndDecodesAUnitAtATime) {
  ModelShape model = adapted_model();
  model.held_words = {50, 80, 80, 52};
  const MemoryByKind alone = predict_memory(model, in_bf16(ShardMode::kNone), 1, pack(), {});

  EXPECT_EQ(alone.frozen, 8 * (64 + 80 + 80 + 64));
  EXPECT_EQ(alone.gathered, 2 * (400 + 416 + 624));

  const MemoryByKind full = predict_memory(model, in_bf16(ShardMode::kFull), 2, pack(), {});
  EXPECT_EQ(full.frozen, 8 * (32 + 48 + 48 + 32));
  EXPECT_EQ(full.gathered, 2 * (416 + 416 + 640) + 8 * (64 + 64 + 96));

  const MemoryByKind stays = predict_memory(model, in_bf16(ShardMode::kGrads), 2, pack(), {});
  EXPECT_EQ(stays.gathered, 2 * (416 + 416 + 640) + 2 * stays.frozen);
}

TEST(MemoryModel, FullKeepsTheEndsAndTheBlocksAtWork) {
  const int64_t ends = 416 + 416;
  EngineOptions options = in_bf16(ShardMode::kFull);

  EXPECT_EQ(bytes_of(options, 2).gathered, 2 * (ends + 640));
  options.prefetch = 1;
  EXPECT_EQ(bytes_of(options, 2).gathered, 2 * (ends + 2 * 640));
  options.prefetch = 9;
  EXPECT_EQ(bytes_of(options, 2).gathered, 2 * (ends + 2 * 640));
  EXPECT_EQ(bytes_of(in_bf16(ShardMode::kGrads), 2).gathered, 2 * (ends + 2 * 640));
}

TEST(MemoryModel, OneShardKeepsTheEndsAndABlockWhereItFreesWeights) {
  EngineOptions options = in_bf16(ShardMode::kNone);

  EXPECT_EQ(bytes_of(options, 2).gathered, 2 * (400 + 624 + 624 + 416));
  options.frees_weights = true;
  EXPECT_EQ(bytes_of(options, 2).gathered, 2 * (400 + 624 + 416));
  options.compute_dtype = c10::kFloat;  // the masters are the weights
  EXPECT_EQ(bytes_of(options, 2).gathered, 0);
  options = in_bf16(ShardMode::kGrads);
  options.frees_weights = true;  // of two shards, all units stay as the mode says
  EXPECT_EQ(bytes_of(options, 2).gathered, bytes_of(in_bf16(ShardMode::kGrads), 2).gathered);
}

TEST(MemoryModel, OptimizerShardingKeepsWholeGradients) {
  const int64_t state = 208 + 320 + 320 + 208;
  EngineOptions on_gpu = in_bf16(ShardMode::kGrads);
  on_gpu.device = c10::kCUDA;

  EXPECT_EQ(bytes_of(in_bf16(ShardMode::kGrads), 2).gradients, 4 * (state + 832 + 640));
  EXPECT_EQ(bytes_of(on_gpu, 2).gradients, 4 * (state + 832 + 2 * 640));
  EXPECT_EQ(bytes_of(in_bf16(ShardMode::kOptimizer), 2).gradients, 4 * (state + 2 * state));
  EXPECT_EQ(bytes_of(in_bf16(ShardMode::kNone), 2).gradients, 4 * (400 + 624 + 624 + 416));
}

TEST(MemoryModel, CopiesOfTheModelHoldMoreEach) {
  EngineOptions four_copies = in_bf16(ShardMode::kGrads);
  four_copies.replicate = 4;

  EXPECT_EQ(in_bf16(ShardMode::kNone).num_shards(8), 1);
  EXPECT_EQ(four_copies.num_shards(8), 2);
  EXPECT_EQ(bytes_of(four_copies, 8).masters, bytes_of(in_bf16(ShardMode::kGrads), 2).masters);
}

TEST(MemoryModel, RecomputingKeepsOnlyTheInputsOfBlocks) {
  const ModelShape model = mpt_shape(32, 4096);
  const PackShape rows{.tokens = 4096, .labels = 1, .pairs = 4096 * 4097 / 2};
  const auto kept = [&](Recompute recompute, c10::DeviceType device) {
    const EngineOptions options{
        .compute_dtype = c10::kBFloat16, .recompute = recompute, .device = device};
    return predict_memory(model, options, 1, rows, {}).activations;
  };
  const int64_t inputs = 32LL * 4096 * 4096 * 2;

  for (const c10::DeviceType device : {c10::kCPU, c10::kCUDA}) {
    EXPECT_GT(kept(Recompute::kBlock, device), inputs);
    EXPECT_LT(kept(Recompute::kBlock, device), 3 * inputs);
    EXPECT_GT(kept(Recompute::kNone, device), 4 * kept(Recompute::kBlock, device));
  }
}

TEST(MemoryModel, LogitsAreBoundedByTheirChunk) {
  const ModelShape model = llama_shape(2, 64, 128, 4, 4, 100000, true);
  const auto head = [&](int64_t labels) {
    const PackShape rows{.tokens = 4096, .labels = labels};
    const EngineOptions options{.recompute = Recompute::kBlock};
    return predict_memory(model, options, 1, rows, {}).head;
  };

  EXPECT_GT(head(128), 128 * 100000 * 8LL);
  EXPECT_LT(head(4096) - head(128), 4096 * 64 * 40LL);
}

TEST(MemoryModel, BackgroundSavesCopyMastersAndMoments) {
  const MemoryByKind bytes =
      predict_memory(odd_model(), {}, 2, pack(),
                     {.communication_bytes = 100, .runtime_bytes = 1000, .saves_async = true});

  EXPECT_EQ(bytes.communication, 100);
  EXPECT_EQ(bytes.runtime, 1000);
  EXPECT_EQ(bytes.checkpoint, bytes.masters + bytes.optimizer);
}

TEST(MemoryModel, OffloadedStatesLeaveTheDevice) {
  EngineOptions options{.offload_optimizer = true, .device = c10::kCUDA};

  EXPECT_EQ(bytes_of(options, 2).masters + bytes_of(options, 2).optimizer, 0);
  EXPECT_GT(bytes_of(options, 2).gradients, 0);
  options.device = c10::kCPU;  // where they are at home
  EXPECT_GT(bytes_of(options, 2).optimizer, 0);
}

// What a tree of paths takes follows from the plan that attention itself uses.
TEST(MemoryModel, CountsTheSlotsOfPaths) {
  PackedBatch batch;
  batch.input_ids = at::zeros({7}, at::kLong);
  batch.label_rows = at::zeros({2}, at::kLong);
  batch.segments = {{.length = 7, .nodes = {{3, -1}, {2, 0}, {2, 0}}}};

  const PackShape on_cpu = shape_of(batch, c10::kCPU);
  const PackShape on_gpu = shape_of(batch, c10::kCUDA);

  EXPECT_EQ(on_cpu.tokens, 7);
  EXPECT_EQ(on_cpu.labels, 2);
  EXPECT_GE(on_cpu.path_queries, 7);
  EXPECT_GE(on_cpu.path_keys, 10);
  EXPECT_GE(on_cpu.pairs, on_gpu.pairs);
  EXPECT_EQ(on_gpu.path_keys, 0);
  EXPECT_EQ(on_gpu.pairs, 6 + 2 * (3 + 6));
}

class EveryFamily : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, EveryFamily, testing::ValuesIn(golden_models()), golden_name);

TEST_P(EveryFamily, ABlockKeepsWhatIsPredicted) {
  const Decoder decoder(golden_config(GetParam()));
  const std::vector<TreeSequence> sequences = {{{5, 6, 7, 8, 9, 10, 11, 12, 13}, {}},
                                               {{5, 6, 7, 20, 21}, {}}};
  const PackedBatch batch = pack_sequences(sequences, {}).front();
  const PackShape pack_shape = shape_of(batch, c10::kCPU);
  for (const c10::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor flat = at::randn({decoder.units()[1].numel()}).to(dtype);
    std::vector<at::Tensor> weights;
    for (const at::Tensor& weight : decoder.parameters(1, flat)) {
      weights.push_back(weight.detach().requires_grad_(true));
    }
    const BlockContext context = decoder.context(batch, dtype);
    const at::Tensor x = at::randn({batch.num_tokens(), decoder.config().hidden_size})
                             .to(dtype)
                             .requires_grad_(true);

    const auto block = [&] { return decoder.block(weights, x, context.of(0)); };
    block();  // makes the scratch rows of products that are widened, which stay
    const int64_t kept = kept_by(block);

    EXPECT_EQ(kept, block_kept_bytes(shape_of(decoder), {.compute_dtype = dtype}, pack_shape))
        << dtype;
  }
}

}  // namespace
}  // namespace xkde::dist
