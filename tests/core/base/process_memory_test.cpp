#include "core/base/process_memory.h"

#include <gtest/gtest.h>

namespace xkde {
namespace {

TEST(ProcessMemory, PeakIsAtLeastWhatIsResident) {
  const int64_t resident = resident_bytes();

  EXPECT_GT(resident, 0);
  EXPECT_GE(peak_resident_bytes(), resident / 2);
  EXPECT_GT(host_memory_bytes(), 0);
  EXPECT_GE(address_space_bytes(), resident);
}

}  // namespace
}  // namespace xkde
