#include "core/optim/adamw_8bit.h"

#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "core/optim/adamw.h"
#include "core/optim/dynamic_code.h"

namespace xkde {
namespace {

constexpr int64_t kBlock = DynamicCode::kBlock;

const DynamicCode& code_of(bool both_signs) {
  return both_signs ? DynamicCode::of_both_signs() : DynamicCode::of_squares();
}

TEST(DynamicCode, GivesTheCodesOfPyTorch) {
  const Json golden = read_json_file(XKDE_SOURCE_DIR "/tests/golden/dynamic_codes.json");
  for (const bool both_signs : {true, false}) {
    const Json& expected = golden.at(both_signs ? "both_signs" : "squares");
    const DynamicCode& code = code_of(both_signs);
    const auto fractions = expected["fractions"].get<std::vector<float>>();
    const auto values = expected["values"].get<std::vector<float>>();
    EXPECT_EQ(std::vector<float>(code.fractions().begin(), code.fractions().end()), fractions);

    std::vector<uint8_t> codes(values.size());
    std::vector<float> decoded(values.size()), scales;
    for (size_t i = 0; i < values.size(); i += kBlock) {
      scales.push_back(code.encode(&values[i], &codes[i]));
      code.decode(&codes[i], scales.back(), &decoded[i]);
    }

    ASSERT_EQ(values.size(), 8U * kBlock);
    EXPECT_EQ(codes, expected["codes"].get<std::vector<uint8_t>>());
    EXPECT_EQ(scales, expected["scales"].get<std::vector<float>>());
    EXPECT_EQ(decoded, expected["decoded"].get<std::vector<float>>());
  }
}

TEST(DynamicCode, EncodesWhatItHasDecodedToTheSameCodes) {
  for (const bool both_signs : {true, false}) {
    const DynamicCode& code = code_of(both_signs);
    std::vector<uint8_t> all(kBlock), again(kBlock);
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint8_t>(i);
    std::vector<float> values(kBlock);
    code.decode(all.data(), 1.0F, values.data());
    EXPECT_EQ(code.encode(values.data(), again.data()), 1.0F);
    EXPECT_EQ(again, all);
  }
}

TEST(DynamicCode, KeepsSmallSquaresAboveNought) {
  std::vector<float> values(kBlock, 0.0F);
  values[0] = 1.0F;
  values[1] = 1e-12F;
  std::vector<uint8_t> codes(kBlock);
  const float scale = DynamicCode::of_squares().encode(values.data(), codes.data());
  DynamicCode::of_squares().decode(codes.data(), scale, values.data());

  EXPECT_EQ(values[0], 1.0F);
  EXPECT_GT(values[1], 0.0F);
  EXPECT_LT(values[1], 1e-6F);
  EXPECT_EQ(values[2], 0.0F);
}

struct Step {
  at::Tensor gradient, scale;
};

constexpr int64_t kNumel = 40 * kBlock;
const std::vector<DecayRange> kRanges = {
    {0, 1001, false}, {1001, 5000, true}, {5000, kNumel - 100, false}};

/// Gradients of all sizes; those of the padding at the end are zero.
Step step_number(int64_t number) {
  at::manual_seed(number);
  at::Tensor gradient = at::randn({kNumel}) * at::pow(10.0, at::empty({kNumel}).uniform_(-6, 0));
  gradient.narrow(0, kNumel - 100, 100).zero_();
  return {gradient, at::scalar_tensor(number % 2 == 0 ? 1.0 : 0.3, at::kDouble)};
}

TEST(AdamW8bit, BeginsAsAdamWAndStaysNearIt) {
  const AdamWOptions options{.weight_decay = 0.1};
  at::manual_seed(3);
  at::Tensor expected = at::randn({kNumel});
  at::Tensor master = expected.clone();
  const at::Tensor start = expected.clone();
  AdamW wide(kNumel, options, kRanges);
  AdamW8bit narrow(kNumel, options, kRanges);

  for (int64_t number = 1; number <= 20; ++number) {
    const Step step = step_number(number);
    wide.step(expected, step.gradient, 1e-2, step.scale);
    narrow.step(master, step.gradient, 1e-2, step.scale);
    // Moments of 0 are exact.
    EXPECT_TRUE(number > 1 || master.equal(expected));
  }

  // Gradients whose sizes differ by 1e6 within a block are the worst case: small moments are
  // rounded to some per cent, and what is small beside the largest to more.
  const double moved = (expected - start).norm().item<double>();
  EXPECT_LT((master - expected).norm().item<double>(), 0.2 * moved);
  EXPECT_TRUE(master.narrow(0, kNumel - 100, 100).equal(start.narrow(0, kNumel - 100, 100)));
}

TEST(AdamW8bit, UpdatesByTensorsAsBlockByBlock) {
  const AdamWOptions options{.weight_decay = 0.1};
  at::manual_seed(3);
  at::Tensor expected = at::randn({kNumel});
  at::Tensor master = expected.clone();
  AdamW8bit by_block(kNumel, options, kRanges);
  AdamW8bit by_tensor(kNumel, options, kRanges);

  for (int64_t number = 1; number <= 5; ++number) {
    const Step step = step_number(number);
    by_block.step(expected, step.gradient, 1e-2, step.scale);
    by_tensor.step_by_tensors(master, step.gradient.clone(), 1e-2, step.scale);
  }

  // Rounding may put a moment that lies on a border into the code beside it.
  EXPECT_EQ(by_tensor.steps_done(), 5);
  EXPECT_LT((master - expected).norm().item<double>(), 1e-3 * expected.norm().item<double>());
  for (const size_t i : {0U, 2U}) {
    const at::Tensor a = by_tensor.state()[i].second.to(at::kInt);
    const at::Tensor b = by_block.state()[i].second.to(at::kInt);
    EXPECT_LE((a - b).abs().max().item<int>(), 1);
    EXPECT_LT(a.ne(b).sum().item<int64_t>(), kNumel / 100);
  }
}

TEST(AdamW8bit, GoesOnFromItsStateBitForBit) {
  at::Tensor whole = at::ones({kNumel});
  at::Tensor parts = at::ones({kNumel});
  AdamW8bit once(kNumel, {}, kRanges);
  auto first = std::make_unique<AdamW8bit>(kNumel, AdamWOptions{}, kRanges);
  for (int64_t number = 1; number <= 6; ++number) {
    const Step step = step_number(number);
    once.step(whole, step.gradient, 1e-2, step.scale);
    first->step(parts, step.gradient, 1e-2, step.scale);
    if (number != 3) continue;
    auto second = std::make_unique<AdamW8bit>(kNumel, AdamWOptions{}, kRanges);
    for (size_t i = 0; i < 4; ++i) second->state()[i].second.copy_(first->state()[i].second);
    second->set_steps_done(first->steps_done());
    first = std::move(second);
  }

  EXPECT_TRUE(parts.equal(whole));
}

TEST(AdamW8bit, TakesTwoBytesAndTwoScalesABlock) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : AdamW8bit(kNumel, {}, kRanges).state())
    bytes += static_cast<int64_t>(tensor.nbytes());
  const OptimizerEntry& entry = entry_of(OptimizerKind::kAdamW8bit);

  EXPECT_EQ(bytes, kNumel / entry.block * entry.moment_bytes);
  EXPECT_EQ(bytes, kNumel * 2 + kNumel / 256 * 8);
}

}  // namespace
}  // namespace xkde
