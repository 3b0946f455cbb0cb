#include "core/nn/kv_cache.h"

#include <memory>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/nn/attention.h"
#include "core/nn/paged_cache.h"
#include "core/nn/slot_cache.h"

namespace xkde {
namespace {

constexpr int64_t kLayers = 2;
constexpr AttentionShape kHeads{.num_heads = 4, .num_kv_heads = 2, .head_dim = 8};
constexpr int64_t kRowWidth = (4 + 2 * 2) * 8;

/// Rows of queries, keys and values, and the table of their positions.
struct Rows {
  at::Tensor qkv;
  RotaryTable rotary;
};

Rows random_rows(const std::vector<int64_t>& positions, at::ScalarType dtype = at::kFloat) {
  const auto count = static_cast<int64_t>(positions.size());
  const at::Tensor frequencies = at::tensor(inverse_frequencies(kHeads.head_dim, 10000.0));
  return {at::randn({count, kRowWidth}).to(dtype),
          rotary_table(at::tensor(positions, at::kLong), frequencies, dtype)};
}

std::vector<int64_t> counted(int64_t begin, int64_t count) {
  std::vector<int64_t> all;
  for (int64_t i = 0; i < count; ++i) all.push_back(begin + i);
  return all;
}

/// Two prompts of 5 and 19 tokens (19: more than a page), the second with two answers, in slots
/// that are not in order.
const std::vector<CachedPrompt> kPrompts = {
    {.prompt_slot = 2, .answer_slots = {1}, .rows = counted(0, 5)},
    {.prompt_slot = 0, .answer_slots = {3, 0}, .rows = counted(5, 19)}};
constexpr KvCacheShape kShape{.num_layers = kLayers,
                              .heads = kHeads,
                              .num_slots = 4,
                              .prompt_tokens = 19,
                              .answer_tokens = 20};

/// What `steps` steps of all three answers give in each layer, side by side: [steps * layers * 3, H
/// E].
at::Tensor decoded(KvCache& cache, int64_t steps, at::ScalarType dtype = at::kFloat) {
  at::manual_seed(7);
  std::vector<int64_t> positions = counted(0, 5);
  const std::vector<int64_t> second = counted(0, 19);
  positions.insert(positions.end(), second.begin(), second.end());
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    const Rows rows = random_rows(positions, dtype);
    cache.put_prompts(layer, rows.qkv, rows.rotary, kPrompts);
  }
  std::vector<at::Tensor> all;
  for (int64_t step = 0; step < steps; ++step) {
    const std::vector<DecodeRow> rows = {{2, 1, 5, step}, {0, 3, 19, step}, {0, 0, 19, step}};
    cache.begin_step(rows);
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      const Rows next = random_rows({5 + step, 19 + step, 19 + step}, dtype);
      all.push_back(cache.attend(layer, next.qkv, next.rotary));
    }
  }
  return at::cat(all);
}

TEST(KvCaches, PagedAndSlotCacheGiveTheSameRows) {
  const auto paged = make_paged_cache(kShape);
  const auto slots = make_slot_cache(kShape, at::kFloat, at::kCPU);

  const at::Tensor by_pages = decoded(*paged, 18);  // past a page of answer tokens
  const at::Tensor by_slots = decoded(*slots, 18);

  // fp32 with sums in another order.
  EXPECT_LT((by_pages - by_slots).abs().max().item<float>(), 1e-5F);
}

TEST(KvCaches, Bf16RowsDifferByTheirRounding) {
  const auto paged = make_paged_cache(kShape);
  const auto slots = make_slot_cache(kShape, at::kBFloat16, at::kCPU);

  const at::Tensor by_pages = decoded(*paged, 3, at::kBFloat16).to(at::kFloat);
  const at::Tensor by_slots = decoded(*slots, 3, at::kBFloat16).to(at::kFloat);

  // The slot cache rounds probabilities to bf16 (8 bits), the paged one its result only.
  EXPECT_LT((by_pages - by_slots).abs().max().item<float>(), 0.05F);
}

TEST(KvCaches, ASlotThatIsFilledAnewForgetsWhatItHeld) {
  for (const bool paged : {true, false}) {
    const auto fresh =
        paged ? make_paged_cache(kShape) : make_slot_cache(kShape, at::kFloat, at::kCPU);
    const auto used =
        paged ? make_paged_cache(kShape) : make_slot_cache(kShape, at::kFloat, at::kCPU);
    decoded(*used, 17);

    EXPECT_TRUE(at::equal(decoded(*fresh, 4), decoded(*used, 4))) << (paged ? "paged" : "slots");
  }
}

TEST(KvCaches, AttendIsCausalAttentionOverTheWholeSequence) {
  constexpr int64_t kTokens = 7;
  at::manual_seed(3);
  const Rows all = random_rows(counted(0, kTokens));
  const AttentionPlan plan = plan_masked_attention({{kTokens, {}}}, at::kCPU);
  const at::Tensor expected = packed_attention(all.qkv, kHeads, all.rotary, plan);
  const auto part = [&](int64_t begin, int64_t count) {
    return Rows{all.qkv.narrow(0, begin, count),
                {all.rotary.cos.narrow(0, begin, count), all.rotary.sin.narrow(0, begin, count)}};
  };
  const std::vector<CachedPrompt> prompts = {
      {.prompt_slot = 0, .answer_slots = {0}, .rows = counted(0, 4)}};

  for (const bool paged : {true, false}) {
    const auto cache =
        paged ? make_paged_cache(kShape) : make_slot_cache(kShape, at::kFloat, at::kCPU);
    const Rows prompt = part(0, 4);
    cache->put_prompts(0, prompt.qkv, prompt.rotary, prompts);
    for (int64_t token = 4; token < kTokens; ++token) {
      const std::vector<DecodeRow> rows = {{0, 0, 4, token - 4}};
      cache->begin_step(rows);
      const Rows next = part(token, 1);
      const at::Tensor out = cache->attend(0, next.qkv, next.rotary);
      EXPECT_LT((out - expected.narrow(0, token, 1)).abs().max().item<float>(), 1e-5F)
          << (paged ? "paged" : "slots") << ", token " << token;
    }
  }
}

/// A prompt of 40 tokens, 20 answer tokens: windows that end in the answer, in a page of the prompt
/// and at the edge of one.
TEST(KvCaches, AttendIsCausalAttentionWithWindowsCapsAndPartialRotations) {
  constexpr int64_t kPrompt = 40, kTokens = 60, kTurning = 6;
  const AttentionShape heads{
      .num_heads = 4, .num_kv_heads = 2, .head_dim = 8, .query_scalar = 3.0, .softcap = 2.0};
  for (const int64_t window : {1, 5, 17, 32, 45, 0}) {
    at::manual_seed(3);
    const at::Tensor qkv = at::randn({kTokens, kRowWidth});
    const RotaryTable table = rotary_table(
        at::arange(kTokens), at::tensor(inverse_frequencies(kTurning, 10000.0)), at::kFloat);
    const auto rotations = [&](int64_t begin, int64_t count) {
      return RotaryTable{table.cos.narrow(0, begin, count), table.sin.narrow(0, begin, count)};
    };
    const at::Tensor expected = packed_attention(
        qkv, heads, table, plan_masked_attention({{kTokens, {}}}, at::kCPU, window));
    const std::vector<CachedPrompt> prompts = {
        {.prompt_slot = 0, .answer_slots = {0}, .rows = counted(0, kPrompt)}};
    // Of two layers only the second has the window.
    const KvCacheShape shape{.num_layers = 2,
                             .heads = heads,
                             .windows = {0, window},
                             .num_slots = 1,
                             .prompt_tokens = kPrompt,
                             .answer_tokens = kTokens - kPrompt};
    for (const bool paged : {true, false}) {
      const auto cache =
          paged ? make_paged_cache(shape) : make_slot_cache(shape, at::kFloat, at::kCPU);
      for (const int64_t layer : {0, 1}) {
        cache->put_prompts(layer, qkv.narrow(0, 0, kPrompt), rotations(0, kPrompt), prompts);
      }
      for (int64_t token = kPrompt; token < kTokens; ++token) {
        const std::vector<DecodeRow> rows = {{0, 0, kPrompt, token - kPrompt}};
        cache->begin_step(rows);
        cache->attend(0, qkv.narrow(0, token, 1), rotations(token, 1));
        const at::Tensor out = cache->attend(1, qkv.narrow(0, token, 1), rotations(token, 1));
        EXPECT_LT((out - expected.narrow(0, token, 1)).abs().max().item<float>(), 2e-5F)
            << (paged ? "paged" : "slots") << ", window " << window << ", token " << token;
      }
    }
  }
}

TEST(SlotCache, RowsThatOnlyFillAStepUpChangeNoOther) {
  const auto plain = make_slot_cache(kShape, at::kFloat, at::kCPU);
  const auto filled = make_slot_cache(kShape, at::kFloat, at::kCPU);
  const std::vector<DecodeRow> one = {{2, 1, 5, 0}};
  const std::vector<DecodeRow> two = {{2, 1, 5, 0}, {kNoSlot, kNoSlot, 0, 0}};
  at::manual_seed(5);
  const Rows prompt = random_rows(counted(0, 24));
  const Rows next = random_rows({5, 0});
  for (KvCache* cache : {plain.get(), filled.get()}) {
    cache->put_prompts(0, prompt.qkv, prompt.rotary, kPrompts);
  }

  plain->begin_step(one);
  const at::Tensor alone =
      plain->attend(0, next.qkv.narrow(0, 0, 1),
                    {next.rotary.cos.narrow(0, 0, 1), next.rotary.sin.narrow(0, 0, 1)});
  filled->begin_step(two);
  const at::Tensor both = filled->attend(0, next.qkv, next.rotary);

  // Products of another number of rows may round differently.
  EXPECT_LT((both.narrow(0, 0, 1) - alone).abs().max().item<float>(), 1e-6F);
}

}  // namespace
}  // namespace xkde
