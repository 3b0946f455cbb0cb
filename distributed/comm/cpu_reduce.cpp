#include "distributed/comm/cpu_reduce.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

#include "core/base/error.h"

namespace xkde::dist {
namespace {

struct BFloat16 {
  uint16_t bits;
};

constexpr size_t kBlock = 2048;  // an accumulator block stays in the L1 cache

// Plain loops over a local block: nothing can alias it, so the compiler vectorises each of them.
template <typename T>
T widen(T value) {
  return value;
}

float widen(BFloat16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16);
}

template <typename T>
void narrow(T value, T& out) {
  out = value;
}

void narrow(float value, BFloat16& out) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  out.bits = static_cast<uint16_t>(value != value ? 0x7fc0U : rounded);
}

struct Sum {
  template <typename T>
  static T apply(T left, T right) {
    return left + right;
  }
  static int64_t apply(int64_t left, int64_t right) {
    return static_cast<int64_t>(static_cast<uint64_t>(left) + static_cast<uint64_t>(right));
  }
};

struct Max {
  template <typename T>
  static T apply(T left, T right) {
    return right > left || right != right ? right : left;
  }
};

template <typename Op, typename In, typename Out, typename Acc>
void reduce_blocks(void* out, std::span<const void* const> inputs, size_t numel) {
  std::array<Acc, kBlock> block;
  for (size_t start = 0; start < numel; start += kBlock) {
    const size_t count = std::min(kBlock, numel - start);
    const In* first = static_cast<const In*>(inputs[0]) + start;
    for (size_t i = 0; i < count; ++i) block[i] = widen(first[i]);
    for (size_t k = 1; k < inputs.size(); ++k) {
      const In* next = static_cast<const In*>(inputs[k]) + start;
      for (size_t i = 0; i < count; ++i) block[i] = Op::apply(block[i], widen(next[i]));
    }
    Out* to = static_cast<Out*>(out) + start;
    for (size_t i = 0; i < count; ++i) narrow(block[i], to[i]);
  }
}

template <typename In, typename Out, typename Acc>
void reduce_as(void* out, std::span<const void* const> inputs, size_t numel, ReduceOp op) {
  if (op == ReduceOp::kSum) {
    reduce_blocks<Sum, In, Out, Acc>(out, inputs, numel);
  } else {
    reduce_blocks<Max, In, Out, Acc>(out, inputs, numel);
  }
}

}  // namespace

bool is_collective_dtype(at::ScalarType dtype) noexcept {
  return dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kDouble ||
         dtype == at::kLong;
}

void reduce_in_order(void* out, at::ScalarType out_dtype, std::span<const void* const> inputs,
                     at::ScalarType dtype, int64_t numel, ReduceOp op) {
  const auto count = static_cast<size_t>(numel);
  if (dtype == at::kBFloat16 && out_dtype == at::kFloat) {
    return reduce_as<BFloat16, float, float>(out, inputs, count, op);
  }
  XKDE_CHECK(dtype == out_dtype, InternalError, "reduction of ", c10::toString(dtype), " into ",
             c10::toString(out_dtype), ": expected the same dtype, or fp32 for bf16");
  switch (dtype) {
    case at::kFloat:
      return reduce_as<float, float, float>(out, inputs, count, op);
    case at::kBFloat16:
      return reduce_as<BFloat16, BFloat16, float>(out, inputs, count, op);
    case at::kDouble:
      return reduce_as<double, double, double>(out, inputs, count, op);
    case at::kLong:
      return reduce_as<int64_t, int64_t, int64_t>(out, inputs, count, op);
    default:
      throw InternalError(
          concat("reduction of ", c10::toString(dtype), ": expected fp32, bf16, fp64 or int64"));
  }
}

}  // namespace xkde::dist
