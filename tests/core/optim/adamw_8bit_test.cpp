#include "core/optim/adamw_8bit.h"

#include <algorithm>
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

/// A moment of `optimizer` in bytes: state()[first] has its codes, the next one its scales.
struct CodedMoment {
  CodedMoment(const AdamW8bit& optimizer, size_t first, const DynamicCode& its_code)
      : code(its_code),
        codes(optimizer.state()[first].second),
        scales(optimizer.state()[first + 1].second) {}

  at::Tensor decoded() const {
    at::Tensor values = at::empty({kNumel});
    for (int64_t block = 0; block < kNumel / kBlock; ++block) {
      code.decode(codes.const_data_ptr<uint8_t>() + block * kBlock,
                  scales.const_data_ptr<float>()[block],
                  values.mutable_data_ptr<float>() + block * kBlock);
    }
    return values;
  }
  /// How many of `values` lie outside the borders of the codes that were kept of them.
  int64_t misplaced(const at::Tensor& values) const {
    int64_t count = 0;
    for (int64_t i = 0; i < kNumel; ++i) {
      const float scale = scales.const_data_ptr<float>()[i / kBlock];
      const float fraction = values.const_data_ptr<float>()[i] * (scale > 0 ? 1 / scale : 0);
      const auto at = static_cast<size_t>(codes.const_data_ptr<uint8_t>()[i]);
      const bool is_small = at == 1 && &code == &DynamicCode::of_squares() && fraction > 0;
      const bool above = at == 0 || is_small || fraction > code.borders()[at - 1];
      const bool below = at == 255 || fraction <= code.borders()[at];
      count += above && below ? 0 : 1;
    }
    return count;
  }

  const DynamicCode& code;
  at::Tensor codes, scales;
};

TEST(DynamicCode, IsOffByHalfOfAStepOfTheUppermostDecadeAtMost) {
  for (const bool both_signs : {true, false}) {
    const auto& fractions = code_of(both_signs).fractions();
    const float half_step = 0.9F / (both_signs ? 128 : 256);
    float widest = 0;
    for (size_t i = 0; i + 1 < fractions.size(); ++i)
      widest = std::max(widest, fractions[i + 1] - fractions[i]);
    EXPECT_NEAR(widest / 2, half_step, 1e-7);
    // A block's largest size is a fraction of 1; of -1 the lowest one is half a step off.
    EXPECT_EQ(fractions.back(), 1.0F);
    const float lowest = both_signs ? -1.0F + half_step : 0.0F;
    EXPECT_NEAR(fractions.front(), lowest, 1e-7);
  }
}

TEST(AdamW8bit, EachUpdateIsThatOfAdamWWithMomentsOffByHalfAStep) {
  const AdamWOptions options{.weight_decay = 0.1};
  at::manual_seed(3);
  at::Tensor master = at::randn({kNumel});
  const at::Tensor start = master.clone();
  AdamW8bit narrow(kNumel, options, kRanges);
  const CodedMoment mean(narrow, 0, DynamicCode::of_both_signs());
  const CodedMoment square(narrow, 2, DynamicCode::of_squares());

  for (int64_t number = 1; number <= 20; ++number) {
    const Step step = step_number(number);
    AdamW wide(kNumel, options, kRanges);
    wide.state()[0].second.copy_(mean.decoded());
    wide.state()[1].second.copy_(square.decoded());
    wide.set_steps_done(number - 1);
    at::Tensor expected = master.clone();
    wide.step(expected, step.gradient, 1e-2, step.scale);
    narrow.step(master, step.gradient, 1e-2, step.scale);

    EXPECT_TRUE(master.equal(expected)) << "step " << number;
    EXPECT_EQ(mean.misplaced(wide.state()[0].second), 0) << "step " << number;
    EXPECT_EQ(square.misplaced(wide.state()[1].second), 0) << "step " << number;
    EXPECT_TRUE(square.scales.equal(wide.state()[1].second.view({-1, kBlock}).amax(1)));
  }

  EXPECT_TRUE(master.narrow(0, kNumel - 100, 100).equal(start.narrow(0, kNumel - 100, 100)));
  EXPECT_FALSE(master.equal(start));
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
