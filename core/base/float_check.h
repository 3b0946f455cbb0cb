#ifndef XKDE_CORE_BASE_FLOAT_CHECK_H_
#define XKDE_CORE_BASE_FLOAT_CHECK_H_

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace xkde {

/// Where the first value stands that is NaN or whose size is not below `bound`; nothing where there
/// is none. `bound` is above 0. One pass at the speed of memory.
std::optional<size_t> first_not_below(std::span<const float> values, float bound = INFINITY);

/// 64 bits of a list of numbers, for comparing lists bit by bit. Lists that differ in one number
/// alone never have the same bits; other lists have them by chance, once in 2^32 or less often. The
/// same on all machines.
class FloatFingerprint {
 public:
  FloatFingerprint();
  /// Goes on with the list. The same pieces give the same bits; so does the whole list where all
  /// pieces but the last have a multiple of kLanes numbers. One pass at the speed of memory.
  void add(std::span<const float> values);
  uint64_t value() const;

  static constexpr size_t kLanes = 32;

 private:
  std::array<uint32_t, kLanes> lanes_;
};

}  // namespace xkde

#endif  // XKDE_CORE_BASE_FLOAT_CHECK_H_
