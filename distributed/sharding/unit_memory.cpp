#include "distributed/sharding/unit_memory.h"

#include <utility>

#include <ATen/ATen.h>

namespace xkde::dist {

const at::Tensor& UnitMemory::take(size_t index, int64_t numel) {
  Unit& unit = units_[index];
  if (!unit.empty) return unit.flat;
  unit.empty = false;
  if (!unit.flat.defined()) {
    const auto type = at::TensorOptions().dtype(dtype_).device(device_);
    const auto found = pool_.find(static_cast<size_t>(numel) * at::elementSize(dtype_));
    if (found == pool_.end()) {
      unit.flat = at::empty({numel}, type);
      return unit.flat;
    }
    // A storage of its own, around memory that another unit has left.
    unit.flat = at::empty({0}, type);
    c10::StorageImpl* storage = unit.flat.storage().unsafeGetStorageImpl();
    storage->set_nbytes(found->first);
    storage->set_data_ptr_noswap(std::move(found->second));
    pool_.erase(found);
    unit.flat.unsafeGetTensorImpl()->set_sizes_contiguous({numel});
    return unit.flat;
  }
  c10::StorageImpl* storage = unit.flat.storage().unsafeGetStorageImpl();
  const auto found = pool_.find(storage->nbytes());
  if (found != pool_.end()) {
    storage->set_data_ptr_noswap(std::move(found->second));
    pool_.erase(found);
  } else {
    storage->set_data_ptr_noswap(storage->allocator()->allocate(storage->nbytes()));
  }
  return unit.flat;
}

void UnitMemory::give_back(size_t index) {
  Unit& unit = units_[index];
  if (unit.empty) return;
  c10::StorageImpl* storage = unit.flat.storage().unsafeGetStorageImpl();
  pool_.emplace(storage->nbytes(), storage->set_data_ptr(at::DataPtr(nullptr, unit.flat.device())));
  unit.empty = true;
}

}  // namespace xkde::dist
