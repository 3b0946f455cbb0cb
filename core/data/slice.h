#ifndef XKDE_CORE_DATA_SLICE_H_
#define XKDE_CORE_DATA_SLICE_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace xkde {

/// A slice as in Python, "begin:end", either side may be empty or negative. "" means all.
struct Slice {
  std::optional<int64_t> begin;
  std::optional<int64_t> end;
  static Slice parse(std::string_view text);  ///< throws ConfigError
  /// The half-open range of n elements, clamped as Python does.
  std::pair<int64_t, int64_t> range(int64_t n) const;
};

}  // namespace xkde

#endif  // XKDE_CORE_DATA_SLICE_H_
