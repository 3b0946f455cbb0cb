#ifndef XKDE_CORE_BASE_RNG_H_
#define XKDE_CORE_BASE_RNG_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace xkde {

/// A stream of random numbers named by (seed, name, index), so that no two users share a state and
/// the values depend on nothing else. SplitMix64 (Steele, Lea, Flood 2014); not cryptographic.
class RandomStream {
 public:
  RandomStream(uint64_t seed, std::string_view name, uint64_t index = 0);
  uint64_t next();
  uint64_t below(uint64_t bound);  ///< uniform in [0, bound), bound > 0, without modulo bias
  double uniform();                ///< in [0, 1)
  /// A random order of 0 … n-1 (Fisher-Yates).
  std::vector<int64_t> permutation(int64_t n);

 private:
  uint64_t state_;
};

}  // namespace xkde

#endif  // XKDE_CORE_BASE_RNG_H_
