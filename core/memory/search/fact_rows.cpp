#include "core/memory/search/fact_rows.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/base/vector_math.h"

namespace xkde {
namespace {

constexpr int64_t kLanes = 16;

int64_t padded(int64_t width) { return (width + kLanes - 1) / kLanes * kLanes; }

/// Halves are added to halves: one order for every processor.
XKDE_INLINE double sum_of_lanes(double* lanes) {
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

XKDE_CLONES double square_length(const float* row, int64_t width) {
  double lanes[kLanes] = {};
  const int64_t whole = width - width % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += static_cast<double>(row[i + lane]) * static_cast<double>(row[i + lane]);
    }
  }
  for (int64_t i = whole; i < width; ++i) {
    lanes[i - whole] += static_cast<double>(row[i]) * static_cast<double>(row[i]);
  }
  return sum_of_lanes(lanes);
}

/// out [stride] = row [width] / |row|, then zeros.
void normalize(const float* row, int64_t width, float* out, int64_t stride, const std::string& what,
               int64_t index) {
  const double square = square_length(row, width);
  XKDE_CHECK(std::isfinite(square), DataError, what, " ", index,
             ": expected finite numbers, found a square length of ", square);
  XKDE_CHECK(square > 0, DataError, what, " ", index,
             ": expected a direction, found the zero vector");
  const double inverse = 1.0 / std::sqrt(square);
  for (int64_t i = 0; i < width; ++i) {
    out[i] = static_cast<float>(static_cast<double>(row[i]) * inverse);
  }
  std::fill(out + width, out + stride, 0.0F);
}

at::Tensor checked(const at::Tensor& embeddings, int64_t width, const std::string& what) {
  XKDE_CHECK(embeddings.dim() == 2 && embeddings.size(1) == width, DataError, what,
             ": expected embeddings [N, ", width, "], found ", embeddings.sizes());
  XKDE_CHECK(embeddings.scalar_type() == at::kFloat && embeddings.is_cpu(), DataError, what,
             ": expected embeddings of fp32 on the CPU, found ", embeddings.scalar_type(), " on ",
             embeddings.device());
  return embeddings.contiguous();
}

}  // namespace

FactRows::FactRows(int64_t width) : width_(width), stride_(padded(width)) {
  XKDE_CHECK(width > 0, InternalError, "facts: expected a positive width, found ", width);
}

void FactRows::append(const at::Tensor& embeddings, const std::string& what) {
  const at::Tensor rows = checked(embeddings, width_, what);
  const int64_t end = size_ + rows.size(0);
  while (std::ssize(blocks_) * kBlockRows < end) {
    blocks_.push_back(at::empty({kBlockRows, stride_}, at::kFloat));
    starts_.push_back(blocks_.back().mutable_data_ptr<float>());
  }
  const float* from = rows.const_data_ptr<float>();
  at::parallel_for(size_, end, 512, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      float* to = starts_[static_cast<size_t>(i / kBlockRows)] + i % kBlockRows * stride_;
      normalize(from + (i - size_) * width_, width_, to, stride_, what, i);
    }
  });
  size_ = end;
}

at::Tensor unit_queries(const at::Tensor& embeddings, int64_t width, const std::string& what) {
  const at::Tensor rows = checked(embeddings, width, what);
  const at::Tensor out = at::empty({rows.size(0), padded(width)}, at::kFloat);
  for (int64_t i = 0; i < rows.size(0); ++i) {
    normalize(rows.const_data_ptr<float>() + i * width, width,
              out.mutable_data_ptr<float>() + i * out.size(1), out.size(1), what, i);
  }
  return out.to(at::kDouble);
}

XKDE_CLONES double exact_dot(const double* query, const float* fact, int64_t width) {
  double lanes[kLanes] = {};
  for (int64_t i = 0; i < width; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += query[i + lane] * static_cast<double>(fact[i + lane]);
    }
  }
  return sum_of_lanes(lanes);
}

}  // namespace xkde
