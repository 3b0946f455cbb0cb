#include "core/memory/search/code_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/vector_math.h"

namespace xkde {
namespace {

using codes::kChunkFacts;
using codes::kSegment;

constexpr int64_t kSampleRows = 8192;
constexpr float kMostCode = 127.0F;
constexpr int kOffset = 128;  ///< codes of facts are stored unsigned
/// More than rounding to fp32 can take from a bound that is a product or sum of a few numbers.
constexpr double kUp = 1.0 + 1e-6;
/// Of lengths that are 1 up to rounding.
constexpr double kUnit = 1.001;
/// More than the fp32 arithmetic of a comparison of numbers up to 1 / scale can lose, times scale.
constexpr double kComparisonSlack = 2e-5;

float upward(double bound) { return static_cast<float>(bound * kUp); }

/// Evenly spread rows.
at::Tensor sample_of(const FactRows& rows) {
  const int64_t count = std::min(rows.size(), kSampleRows);
  const at::Tensor sample = at::empty({count, rows.stride()}, at::kFloat);
  for (int64_t i = 0; i < count; ++i) {
    const float* row = rows.row(i * rows.size() / count);
    std::copy(row, row + rows.stride(), sample.mutable_data_ptr<float>() + i * rows.stride());
  }
  return sample;
}

/// Hadamard's matrix over 8, orthonormal: spreads each coordinate of a segment over all 64.
at::Tensor mixing() {
  const at::Tensor matrix = at::empty({kSegment, kSegment}, at::kDouble);
  double* out = matrix.mutable_data_ptr<double>();
  for (int64_t i = 0; i < kSegment; ++i) {
    for (int64_t j = 0; j < kSegment; ++j) {
      out[i * kSegment + j] =
          __builtin_parityll(static_cast<uint64_t>(i & j)) != 0 ? -0.125 : 0.125;
    }
  }
  return matrix;
}

/// Principal axes, the strongest first, as columns; zero columns up to whole segments; mixed. fp64.
at::Tensor basis_of(const at::Tensor& sample, int64_t segments) {
  const at::Tensor moments = at::mm(sample.t(), sample).to(at::kDouble);
  const at::Tensor axes = std::get<1>(at::linalg_eigh(moments)).flip({1});
  const int64_t stride = sample.size(1);
  const at::Tensor padded = at::zeros({stride, segments * kSegment}, at::kDouble);
  padded.narrow(1, 0, stride).copy_(axes);
  return at::matmul(padded.view({stride, segments, kSegment}), mixing())
      .view({stride, segments * kSegment});
}

/// LibTorch can be told to round the factors of fp32 products, which the bounds do not know of.
bool products_are_fp32() {
  const auto precision =
      at::globalContext().float32Precision(at::Float32Backend::MKLDNN, at::Float32Op::MATMUL);
  return precision != at::Float32Precision::TF32 && precision != at::Float32Precision::BF16;
}

/// What one step of the codes of y [width] stands for.
template <typename Number>
XKDE_INLINE float scale_of(const Number* y, int64_t width) {
  Number most = 0;
  for (int64_t i = 0; i < width; ++i) {
    const Number size = y[i] < 0 ? -y[i] : y[i];
    most = size > most ? size : most;
  }
  return std::max(static_cast<float>(most) / kMostCode, 1e-12F);
}

/// Codes of one segment of a fact, stored with their offset. Adds to the squares of the error and
/// of the segment's length, in fp32 lanes.
XKDE_CLONES void encode_segment(const float* y, float scale, uint8_t* out, float* squares) {
  constexpr float kShift = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float inverse = 1.0F / scale;
  float errors[codes::kLanes] = {};
  float lengths[codes::kLanes] = {};
  for (int64_t i = 0; i < kSegment; i += codes::kLanes) {
    for (int64_t lane = 0; lane < codes::kLanes; ++lane) {
      const float value = y[i + lane];
      float code = (value * inverse + kShift) - kShift;
      code = code > kMostCode ? kMostCode : (code < -kMostCode ? -kMostCode : code);
      const float error = value - code * scale;
      errors[lane] += error * error;
      lengths[lane] += value * value;
      out[i + lane] = static_cast<uint8_t>(static_cast<int>(code) + kOffset);
    }
  }
  for (int64_t lane = 0; lane < codes::kLanes; ++lane) {
    squares[0] += errors[lane];
    squares[1] += lengths[lane];
  }
}

}  // namespace

CodeTable::CodeTable(const FactRows& rows)
    : segments_((rows.stride() + kSegment - 1) / kSegment), learned_from_(rows.size()) {
  const at::Tensor basis = basis_of(sample_of(rows), segments_);
  basis_ = basis.to(at::kFloat);
  // How far the rounded basis is from orthonormal, and, for sums of n terms in any order, n unit
  // roundoffs of each coordinate (Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
  const at::Tensor exact = basis_.to(at::kDouble);
  const double skew =
      (at::mm(exact, exact.t()) - at::eye(exact.size(0), at::kDouble)).norm().item<double>();
  const auto terms = static_cast<double>(rows.stride());
  const double gamma = 1.01 * terms * std::ldexp(1.0, -24);
  slack_ = skew + gamma * std::sqrt(static_cast<double>(segments_ * kSegment)) * kUnit;
}

CodeTable::Chunk CodeTable::encode_chunk(const FactRows& rows, int64_t first) const {
  Chunk chunk{at::empty({segments_, kChunkFacts, kSegment}, at::kByte),
              at::empty({kChunkFacts}, at::kFloat), at::empty({kChunkFacts}, at::kFloat),
              at::empty({segments_ + 1, kChunkFacts}, at::kFloat)};
  // A chunk lies within one block of rows.
  const at::Tensor facts =
      at::from_blob(const_cast<float*>(rows.row(first)), {kChunkFacts, rows.stride()}, at::kFloat);
  const at::ScalarType type = products_are_fp32() ? at::kFloat : at::kDouble;
  const at::Tensor turned = at::mm(facts.to(type), basis_.to(type)).to(at::kFloat);
  const int64_t width = segments_ * kSegment;
  auto* bytes = chunk.code_bytes.mutable_data_ptr<uint8_t>();
  auto* rest = chunk.rest.mutable_data_ptr<float>();
  for (int64_t f = 0; f < kChunkFacts; ++f) {
    const float* y = turned.const_data_ptr<float>() + f * width;
    const float scale = scale_of(y, width);
    double error = 0;
    double beyond = 0;
    rest[segments_ * kChunkFacts + f] = 0;
    for (int64_t segment = segments_ - 1; segment >= 0; --segment) {
      float squares[2] = {0, 0};
      encode_segment(y + segment * kSegment, scale, bytes + (segment * kChunkFacts + f) * kSegment,
                     squares);
      error += static_cast<double>(squares[0]);
      beyond += static_cast<double>(squares[1]);
      // Sums of 64 squares in fp32 are good to 1e-5.
      rest[segment * kChunkFacts + f] = upward(std::sqrt(beyond) * 1.00001);
    }
    chunk.scale.mutable_data_ptr<float>()[f] = scale;
    chunk.error.mutable_data_ptr<float>()[f] = upward(std::sqrt(error) * 1.001 + 1e-6);
  }
  return chunk;
}

void CodeTable::extend(const FactRows& rows) {
  const int64_t before = std::ssize(chunks_);
  const int64_t after = rows.size() / kChunkFacts;
  if (after <= before) return;
  chunks_.resize(static_cast<size_t>(after));
  at::parallel_for(before, after, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      chunks_[static_cast<size_t>(i)] = encode_chunk(rows, i * kChunkFacts);
    }
  });
}

CodeTable::Queries CodeTable::encode(const at::Tensor& queries) const {
  const int64_t count = queries.size(0);
  const int64_t width = segments_ * kSegment;
  const int64_t levels = segments_ + 1;
  const at::Tensor turned = at::mm(queries, basis_.to(at::kDouble));
  Queries out{
      at::empty({count, width}, at::kChar),           at::empty({count, levels}, at::kInt),
      std::vector<float>(static_cast<size_t>(count)), at::empty({count, levels}, at::kFloat),
      at::empty({count, levels}, at::kFloat),         at::empty({count, levels}, at::kFloat)};
  for (int64_t q = 0; q < count; ++q) {
    const double* z = turned.const_data_ptr<double>() + q * width;
    auto* code = out.codes.mutable_data_ptr<int8_t>() + q * width;
    auto* sums = out.code_sums.mutable_data_ptr<int32_t>() + q * levels;
    auto* rounded = out.rounded.mutable_data_ptr<float>() + q * levels;
    auto* slack = out.slack.mutable_data_ptr<float>() + q * levels;
    auto* rest = out.rest.mutable_data_ptr<float>() + q * levels;
    const float scale = scale_of(z, width);
    out.scale[static_cast<size_t>(q)] = scale;
    double error = 0;
    double length = 0;
    int32_t sum = 0;
    for (int64_t i = 0; i <= width; ++i) {
      if (i % kSegment == 0) {
        const int64_t level = i / kSegment;
        sums[level] = sum;
        rounded[level] = upward(std::sqrt(length));
        slack[level] = upward(std::sqrt(error) * kUnit + slack_ + kComparisonSlack);
      }
      if (i == width) break;
      const double value =
          std::clamp(std::nearbyint(z[i] / static_cast<double>(scale)), -127.0, 127.0);
      code[i] = static_cast<int8_t>(value);
      sum += code[i];
      const double near = value * static_cast<double>(scale);
      error += (z[i] - near) * (z[i] - near);
      length += near * near;
    }
    double beyond = 0;
    rest[segments_] = 0;
    for (int64_t i = width - 1; i >= 0; --i) {
      beyond += z[i] * z[i];
      if (i % kSegment == 0) rest[i / kSegment] = upward(std::sqrt(beyond));
    }
  }
  return out;
}

}  // namespace xkde
