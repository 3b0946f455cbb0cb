#include "core/base/process_memory.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

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

TEST(ProcessMemory, WhatWasFreedBetweenBlocksInUseIsReturned) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the allocator of a sanitizer keeps what is freed";
#endif
  constexpr size_t kBytes = 2048;
  constexpr size_t kBlocks = size_t{1} << 15;
  std::vector<std::unique_ptr<char[]>> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(std::make_unique<char[]>(kBytes));
  for (size_t i = 0; i < kBlocks; ++i) {
    if (i % 64 != 63) blocks[i].reset();
  }
  const int64_t before = resident_bytes();

  return_free_memory();

  // Of 64 MiB, less the pages that blocks in use lie in.
  EXPECT_LT(resident_bytes(), before - (int64_t{32} << 20));
}

}  // namespace
}  // namespace xkde
