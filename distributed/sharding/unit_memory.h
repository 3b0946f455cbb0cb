#ifndef XKDE_DISTRIBUTED_SHARDING_UNIT_MEMORY_H_
#define XKDE_DISTRIBUTED_SHARDING_UNIT_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include <ATen/core/Tensor.h>

namespace xkde::dist {

/// The memory of whole units. A unit has one flat tensor with one storage, which gets memory, loses
/// it and gets it again: what a kept graph holds into it is valid whenever it has some. Memory that
/// one unit has lost serves the next one of its size.
class UnitMemory {
 public:
  UnitMemory(size_t units, at::ScalarType dtype, at::Device device)
      : dtype_(dtype), device_(device), units_(units) {}

  /// The unit's tensor of `numel` elements, the same number at each call. What it holds is
  /// undefined, unless it has had memory since the last call.
  const at::Tensor& take(size_t unit, int64_t numel);
  /// The unit's tensor has no memory any more.
  void give_back(size_t unit);

 private:
  struct Unit {
    at::Tensor flat;
    bool empty = true;  ///< its storage has no memory
  };

  at::ScalarType dtype_;
  at::Device device_;
  std::vector<Unit> units_;
  std::multimap<size_t, at::DataPtr> pool_;  ///< memory of no unit, by bytes
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_UNIT_MEMORY_H_
