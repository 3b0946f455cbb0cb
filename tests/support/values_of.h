#ifndef XKDE_TESTS_SUPPORT_VALUES_OF_H_
#define XKDE_TESTS_SUPPORT_VALUES_OF_H_

#include <vector>

#include "core/io/hdf5_file.h"

namespace xkde::test {

/// All elements of an fp32 dataset of any shape.
inline std::vector<float> values_of(const Hdf5Dataset& dataset) {
  std::vector<float> values(static_cast<size_t>(dataset.numel()));
  dataset.read(0, values);
  return values;
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_SUPPORT_VALUES_OF_H_
