#include "core/base/memory_failure.h"

#include <new>
#include <stdexcept>
#include <system_error>

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

TEST(MemoryFailure, KnowsTheWordsOfLibTorchAndTellsWhatWasAskedFor) {
  const std::runtime_error cpu(
      "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: "
      "you "
      "tried to allocate 786432 bytes. Error code 12 (Cannot allocate memory)\nframe #0: c10");

  EXPECT_EQ(
      memory_failure(cpu),
      "out of host memory: err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
      "allocate 786432 bytes. Error code 12 (Cannot allocate memory)");
  EXPECT_EQ(memory_failure(std::runtime_error("CUDA out of memory. Tried to allocate 2.00 GiB.")),
            "out of device memory: CUDA out of memory. Tried to allocate 2.00 GiB.");
}

TEST(MemoryFailure, KnowsTheSystemsErrors) {
  EXPECT_EQ(memory_failure(std::bad_alloc()), "out of host memory");
  const auto refusal = [](int code) {
    return std::system_error(code, std::generic_category(), "thread");
  };
  EXPECT_EQ(memory_failure(refusal(EAGAIN)),
            "the system refuses another thread: thread: Resource temporarily unavailable");
  EXPECT_EQ(memory_failure(refusal(ENOMEM)), "out of host memory: thread: Cannot allocate memory");
}

TEST(MemoryFailure, IsNoneForOtherErrors) {
  EXPECT_EQ(memory_failure(std::runtime_error("index out of range")), std::nullopt);
  EXPECT_EQ(memory_failure(std::system_error(EIO, std::generic_category())), std::nullopt);
  EXPECT_EQ(memory_failure(DataError("a text that says out of memory")), std::nullopt);
}

}  // namespace
}  // namespace xkde
