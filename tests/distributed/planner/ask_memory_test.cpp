#include "distributed/planner/ask_memory.h"

#include <gtest/gtest.h>

#include "core/nn/device_memory.h"
#include "core/nn/products.h"

namespace xkde::dist {
namespace {

ModelShape asked_model() {
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
constexpr int64_t kAskedPadded = 400 + 624 + 624 + 416;

EngineOptions computing_in(c10::ScalarType dtype) { return {.compute_dtype = dtype}; }

TEST(AskMemory, MastersServeAsWeightsOnlyInFp32OnOneShard) {
  const ModelShape model = asked_model();
  EXPECT_EQ(asked_weight_bytes(model, computing_in(c10::kFloat), 1, WeightsHeld::kMasters),
            4 * kAskedPadded);
  EXPECT_EQ(asked_weight_bytes(model, computing_in(c10::kBFloat16), 1, WeightsHeld::kMasters),
            6 * kAskedPadded);
  EngineOptions whole = computing_in(c10::kFloat);
  whole.shard = ShardMode::kNone;
  EXPECT_EQ(asked_weight_bytes(model, whole, 2, WeightsHeld::kMasters), 4 * kAskedPadded);
  const int64_t half = state_numel(model, 2);
  EXPECT_EQ(asked_weight_bytes(model, computing_in(c10::kBFloat16), 2, WeightsHeld::kMasters),
            4 * half + 2 * 2 * half);
}

TEST(AskMemory, FrozenWeightsHaveNoMastersAndAnAdapterIsMergedIntoACopy) {
  const ModelShape model = asked_model();
  EXPECT_EQ(asked_weight_bytes(model, computing_in(c10::kBFloat16), 1, WeightsHeld::kFrozen),
            2 * kAskedPadded);
  EXPECT_EQ(asked_weight_bytes(model, computing_in(c10::kBFloat16), 1, WeightsHeld::kAdapted),
            4 * kAskedPadded);
}

TEST(AskMemory, AnswersKeepKeysAndValuesOfAllLayersInFp32OnACpu) {
  const AskMemory bytes = predict_asking(asked_model(), computing_in(c10::kBFloat16),
                                         {.rows = 10, .logit_rows = 3, .cached_tokens = 7}, {});
  EXPECT_EQ(bytes.cache, 4 * 7 * 2 * 2 * 4);
  EXPECT_EQ(bytes.logits, 3 * 50 * (4 + 2 + 1));
  EXPECT_EQ(bytes.passes, 2 * 10 * (2 * 8 + 3 * 16));
  EXPECT_EQ(bytes.edits, 0);
}

TEST(AskMemory, CodeOfProductsIsCountedUpToWhatIsKept) {
  const bool widens = widens_products();
  set_widens_products(false);
  const MemoryConstants constants{.runtime_bytes =
                                      60'000'000 + kCachedProducts * kCachedProductBytes};
  const auto runtime = [&](c10::ScalarType dtype, int64_t passes) {
    return predict_asking(asked_model(), computing_in(dtype), {.passes = passes}, constants)
        .runtime;
  };
  EXPECT_EQ(runtime(c10::kBFloat16, 0), 60'000'000);
  EXPECT_EQ(runtime(c10::kBFloat16, 2), 60'000'000 + 12 * kCachedProductBytes);
  EXPECT_EQ(runtime(c10::kBFloat16, 1000), constants.runtime_bytes);
  EXPECT_EQ(runtime(c10::kFloat, 0), constants.runtime_bytes);
  set_widens_products(widens);
}

TEST(AskMemory, EditsAreWrittenWhileNothingIsAsked) {
  AskMemory bytes{.weights = 100,
                  .edits = 20,
                  .editor = 3,
                  .editing = 50,
                  .passes = 30,
                  .cache = 5,
                  .logits = 4,
                  .runtime = 1};
  EXPECT_EQ(bytes.peak(), 100 + 20 + 3 + 50 + 1);
  bytes.editing = 10;
  EXPECT_EQ(bytes.peak(), 100 + 20 + 3 + 30 + 5 + 4 + 1);
}

}  // namespace
}  // namespace xkde::dist
