#include "core/optim/adamw_8bit.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/optim/adamw_update.h"
#include "core/optim/dynamic_code.h"

namespace xkde {
namespace {

constexpr int64_t kBlock = DynamicCode::kBlock;
static_assert(kBlock == entry_of(OptimizerKind::kAdamW8bit).block);

/// A code as step_by_tensors() needs it.
struct CodeTensors {
  at::Tensor fractions, borders;  // fp32 [256], [255]
};

CodeTensors tensors_of(const DynamicCode& code, at::Device device) {
  const auto on_device = [&](std::span<const float> values) {
    at::Tensor host = at::empty({std::ssize(values)}, at::TensorOptions().dtype(at::kFloat));
    std::ranges::copy(values, host.mutable_data_ptr<float>());
    return host.to(device);
  };
  return {on_device(code.fractions()), on_device(code.borders())};
}

/// fp32 [B, kBlock] of B blocks.
at::Tensor decoded(const at::Tensor& codes, const at::Tensor& scales, const CodeTensors& code) {
  return code.fractions.index_select(0, codes.to(at::kInt)).view({-1, kBlock}) *
         scales.unsqueeze(1);
}

void encode(const at::Tensor& values, const CodeTensors& code, bool keeps_small, at::Tensor codes,
            at::Tensor scales) {
  at::Tensor largest = values.abs().amax(1);
  largest = largest.masked_fill(largest < std::numeric_limits<float>::min(), 0.0);
  const at::Tensor inverse = largest.reciprocal().masked_fill(largest == 0.0, 0.0);
  at::Tensor found = at::bucketize(values * inverse.unsqueeze(1), code.borders);
  if (keeps_small)
    found = found.maximum(((values > 0) & (largest > 0).unsqueeze(1)).to(found.scalar_type()));
  codes.copy_(found.view({-1}));
  scales.copy_(largest);
}

}  // namespace

AdamW8bit::AdamW8bit(int64_t numel, AdamWOptions options, std::vector<DecayRange> ranges,
                     at::Device device)
    : options_(options), ranges_(std::move(ranges)) {
  XKDE_CHECK(numel % kBlock == 0, InternalError, "8-bit moments: ", numel,
             " elements are no whole blocks of ", kBlock);
  const std::array<float, kBlock> zeros{};
  const auto fresh = [&](const DynamicCode& code) {
    std::array<uint8_t, kBlock> codes;
    code.encode(zeros.data(), codes.data());
    return Moment{at::full({numel}, codes.front(), at::TensorOptions(at::kByte).device(device)),
                  at::zeros({numel / kBlock}, at::TensorOptions(at::kFloat).device(device))};
  };
  exp_avg_ = fresh(DynamicCode::of_both_signs());
  exp_avg_sq_ = fresh(DynamicCode::of_squares());
}

std::vector<std::pair<std::string, at::Tensor>> AdamW8bit::state() const {
  return {{"exp_avg.codes", exp_avg_.codes},
          {"exp_avg.scales", exp_avg_.scales},
          {"exp_avg_sq.codes", exp_avg_sq_.codes},
          {"exp_avg_sq.scales", exp_avg_sq_.scales}};
}

void AdamW8bit::step(at::Tensor& master, const at::Tensor& gradient, double learning_rate,
                     const at::Tensor& gradient_scale) {
  if (!master.is_cpu()) return step_by_tensors(master, gradient, learning_rate, gradient_scale);
  ++steps_done_;
  step_on_cpu(master.mutable_data_ptr<float>(), gradient.const_data_ptr<float>(), learning_rate,
              gradient_scale.item<float>());
}

void AdamW8bit::step_on_cpu(float* master, const float* gradient, double learning_rate,
                            float scale) {
  constexpr int64_t kGrain = 64;
  at::parallel_for(0, exp_avg_.scales.numel(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block)
      update_block(block, master, gradient, learning_rate, scale);
  });
}

void AdamW8bit::update_block(int64_t block, float* master, const float* gradient,
                             double learning_rate, float scale) {
  const int64_t first = block * kBlock;
  const int64_t last = first + kBlock;
  const auto in_block = [&](const Moment& moment, const DynamicCode& code, float* values) {
    code.decode(moment.codes.const_data_ptr<uint8_t>() + first,
                moment.scales.const_data_ptr<float>()[block], values);
  };
  const auto put_back = [&](Moment& moment, const DynamicCode& code, const float* values) {
    moment.scales.mutable_data_ptr<float>()[block] =
        code.encode(values, moment.codes.mutable_data_ptr<uint8_t>() + first);
  };
  std::array<float, kBlock> mean, square;
  in_block(exp_avg_, DynamicCode::of_both_signs(), mean.data());
  in_block(exp_avg_sq_, DynamicCode::of_squares(), square.data());
  auto range = std::ranges::upper_bound(ranges_, first, {}, &DecayRange::end);
  for (; range != ranges_.end() && range->begin < last; ++range) {
    const int64_t begin = std::max(first, range->begin);
    const int64_t end = std::min(last, range->end);
    adamw_update(master + begin, mean.data() + (begin - first), square.data() + (begin - first),
                 gradient + begin, end - begin,
                 adamw_constants(options_, steps_done_, learning_rate, range->decays, scale));
  }
  put_back(exp_avg_, DynamicCode::of_both_signs(), mean.data());
  put_back(exp_avg_sq_, DynamicCode::of_squares(), square.data());
}

void AdamW8bit::step_by_tensors(at::Tensor& master, const at::Tensor& gradient,
                                double learning_rate, const at::Tensor& gradient_scale) {
  constexpr int64_t kPieceBlocks = int64_t{1} << 14;
  ++steps_done_;
  const CodeTensors signed_code = tensors_of(DynamicCode::of_both_signs(), master.device());
  const CodeTensors square_code = tensors_of(DynamicCode::of_squares(), master.device());
  const AdamWConstants plain =
      adamw_constants(options_, steps_done_, learning_rate, /*decays=*/false, 1.0F);
  at::Tensor(gradient).mul_(gradient_scale.to(at::kFloat));
  const int64_t blocks = exp_avg_.scales.numel();
  for (int64_t first = 0; first < blocks; first += kPieceBlocks) {
    const int64_t count = std::min(kPieceBlocks, blocks - first);
    const auto codes = [&](const Moment& moment) {
      return moment.codes.narrow(0, first * kBlock, count * kBlock);
    };
    const auto scales = [&](const Moment& moment) { return moment.scales.narrow(0, first, count); };
    const at::Tensor g = gradient.narrow(0, first * kBlock, count * kBlock).view({-1, kBlock});
    at::Tensor mean = decoded(codes(exp_avg_), scales(exp_avg_), signed_code);
    at::Tensor square = decoded(codes(exp_avg_sq_), scales(exp_avg_sq_), square_code);
    mean.add_(g - mean, 1.0F - plain.beta1);
    square.mul_(plain.beta2).add_(g * g, 1.0F - plain.beta2);
    const at::Tensor change =
        (mean / (square.sqrt() * plain.inverse_correction2_sqrt + plain.epsilon)).view({-1});
    for (const DecayRange& range : ranges_) {
      const int64_t begin = std::max(first * kBlock, range.begin);
      const int64_t end = std::min((first + count) * kBlock, range.end);
      if (begin >= end) continue;
      const double keep = range.decays ? 1.0 - learning_rate * options_.weight_decay : 1.0;
      master.narrow(0, begin, end - begin)
          .mul_(keep)
          .sub_(change.narrow(0, begin - first * kBlock, end - begin), plain.step_size);
    }
    encode(mean, signed_code, false, codes(exp_avg_), scales(exp_avg_));
    encode(square, square_code, true, codes(exp_avg_sq_), scales(exp_avg_sq_));
  }
}

}  // namespace xkde
