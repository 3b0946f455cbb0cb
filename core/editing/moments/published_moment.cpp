#include "core/editing/moments/published_moment.h"

#include <span>
#include <string>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/io/numpy/npz_file.h"

namespace xkde {
namespace {

constexpr const char* kSum = "mom2.mom2";
constexpr const char* kCount = "mom2.count";
/// Of the largest number: fp32 sums of one product in two orders differ by less.
constexpr double kMostAsymmetry = 1e-3;

}  // namespace

SecondMoment read_published_moment(const std::filesystem::path& file, int64_t width) {
  const NpzFile npz = NpzFile::open(file);
  const std::string place = file.string();
  const int64_t count = npz.read_integer(kCount);
  XKDE_CHECK(count > 0, DataError, place, ": ", kCount, ": expected a positive number, found ",
             count);
  const at::Tensor sum = at::empty({width, width}, at::kDouble);
  npz.read(kSum, {width, width},
           {sum.mutable_data_ptr<double>(), static_cast<size_t>(sum.numel())});
  XKDE_CHECK(sum.isfinite().all().item<bool>(), DataError, place, ": ", kSum,
             ": expected finite numbers, found NaN or infinity");
  const double least = sum.diagonal().min().item<double>();
  XKDE_CHECK(least >= 0, DataError, place, ": ", kSum,
             ": expected a diagonal of sums of squares, found ", least);
  const double asymmetry = (sum - sum.t()).abs().max().item<double>();
  const double largest = sum.abs().max().item<double>();
  XKDE_CHECK(asymmetry <= kMostAsymmetry * largest, DataError, place, ": ", kSum,
             ": expected a symmetric matrix, found numbers that differ by ", asymmetry, " of ",
             largest);
  return {(sum + sum.t()) / (2.0 * static_cast<double>(count)), count};
}

}  // namespace xkde
