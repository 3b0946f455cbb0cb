#include "distributed/comm/cpu_reduce.h"

#include <array>
#include <limits>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde::dist {
namespace {

std::vector<const void*> pointers(const std::vector<at::Tensor>& tensors) {
  std::vector<const void*> inputs;
  for (const auto& tensor : tensors) inputs.push_back(tensor.const_data_ptr());
  return inputs;
}

at::Tensor reduce(const std::vector<at::Tensor>& tensors, ReduceOp op, at::ScalarType out_dtype) {
  auto out = at::empty(tensors[0].sizes(), tensors[0].options().dtype(out_dtype));
  reduce_in_order(out.mutable_data_ptr(), out_dtype, pointers(tensors), tensors[0].scalar_type(),
                  out.numel(), op);
  return out;
}

TEST(CpuReduce, Bf16SumIsRoundedOnce) {
  // Each addend alone is lost in bf16 next to 256; together they are 2.
  const std::vector<at::Tensor> inputs = {
      at::full({9}, 256.0, at::kBFloat16), at::full({9}, 0.75, at::kBFloat16),
      at::full({9}, 0.75, at::kBFloat16), at::full({9}, 0.5, at::kBFloat16)};

  EXPECT_TRUE(at::equal(reduce(inputs, ReduceOp::kSum, at::kBFloat16),
                        at::full({9}, 258.0, at::kBFloat16)));
}

TEST(CpuReduce, Bf16RoundingEqualsLibTorch) {
  at::manual_seed(5);
  const auto a = at::randn({5000}).to(at::kBFloat16);
  const auto b = (at::randn({5000}) * 1e-2).to(at::kBFloat16);
  const auto wide = a.to(at::kFloat) + b.to(at::kFloat);

  EXPECT_TRUE(at::equal(reduce({a, b}, ReduceOp::kSum, at::kBFloat16), wide.to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(reduce({a, b}, ReduceOp::kSum, at::kFloat), wide));
}

TEST(CpuReduce, SumGoesFromLeftToRight) {
  const std::vector<at::Tensor> inputs = {at::full({1}, 1e8F), at::full({1}, -1e8F),
                                          at::full({1}, 1.0F)};

  EXPECT_EQ(reduce(inputs, ReduceOp::kSum, at::kFloat).item<float>(), 1.0F);
}

TEST(CpuReduce, OutputMayBeAnInput) {
  auto a = at::arange(7000, at::kDouble);
  const auto b = at::ones({7000}, at::kDouble);

  reduce_in_order(a.mutable_data_ptr(), at::kDouble, pointers({b, a}), at::kDouble, 7000,
                  ReduceOp::kSum);

  EXPECT_TRUE(at::equal(a, at::arange(7000, at::kDouble) + 1));
}

TEST(CpuReduce, NanAndInfinityPass) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const auto a = at::tensor({nan, 1.0F, infinity}).to(at::kBFloat16);
  const auto b = at::tensor({1.0F, nan, 1.0F}).to(at::kBFloat16);

  for (const auto op : {ReduceOp::kSum, ReduceOp::kMax}) {
    const auto result = reduce({a, b}, op, at::kBFloat16).to(at::kFloat);
    EXPECT_TRUE(result.isnan().slice(0, 0, 2).all().item<bool>());
    EXPECT_EQ(result[2].item<float>(), infinity);
  }
}

TEST(CpuReduce, Int64SumIsExact) {
  const int64_t big = int64_t{1} << 60;

  const auto result = reduce({at::full({3}, big, at::kLong), at::full({3}, 1, at::kLong)},
                             ReduceOp::kSum, at::kLong);

  EXPECT_EQ(result[2].item<int64_t>(), big + 1);
}

TEST(CpuReduce, RefusesOtherElementTypes) {
  std::string message;
  try {
    reduce({at::ones({2}, at::kInt)}, ReduceOp::kSum, at::kInt);
  } catch (const InternalError& error) {
    message = error.what();
  }

  EXPECT_THAT(message, ::testing::HasSubstr("Int: expected fp32, bf16, fp64 or int64"));
}

}  // namespace
}  // namespace xkde::dist
