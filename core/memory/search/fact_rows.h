#ifndef XKDE_CORE_MEMORY_SEARCH_FACT_ROWS_H_
#define XKDE_CORE_MEMORY_SEARCH_FACT_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace xkde {

/// Embeddings brought to length 1, as fp32 rows that never move: [size(), width()], each padded
/// with zeros to stride() floats and aligned to 64 bytes.
class FactRows {
 public:
  static constexpr int64_t kBlockRows = 4096;  ///< consecutive in memory, from a multiple of it on

  explicit FactRows(int64_t width);
  /// Adds fp32 [N, width()]. DataError naming `what` and the row where one is zero or not finite.
  void append(const at::Tensor& embeddings, const std::string& what);

  int64_t size() const noexcept { return size_; }
  int64_t width() const noexcept { return width_; }
  int64_t stride() const noexcept { return stride_; }
  const float* row(int64_t index) const {
    return starts_[static_cast<size_t>(index / kBlockRows)] + index % kBlockRows * stride_;
  }

 private:
  int64_t width_;
  int64_t stride_;
  int64_t size_ = 0;
  std::vector<at::Tensor> blocks_;
  std::vector<float*> starts_;
};

/// The rows of `embeddings`, fp32 [N, width], brought to length 1 as FactRows does, in fp64
/// [N, stride].
at::Tensor unit_queries(const at::Tensor& embeddings, int64_t width, const std::string& what);

/// The sum of a[i] * b[i], i < width, a multiple of 16: sixteen partial sums in fp64. A product of
/// two fp32 numbers is exact in fp64, so that the bits are the same with and without fused
/// multiply-adds, on every processor. `query` holds fp32 numbers.
double exact_dot(const double* query, const float* fact, int64_t width);

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_SEARCH_FACT_ROWS_H_
