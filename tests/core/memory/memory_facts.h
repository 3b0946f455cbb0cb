#ifndef XKDE_TESTS_CORE_MEMORY_MEMORY_FACTS_H_
#define XKDE_TESTS_CORE_MEMORY_MEMORY_FACTS_H_

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/memory/edit_memory.h"
#include "tests/support/temp_folder.h"

namespace xkde::test {

inline constexpr int64_t kWidth = 6;
inline const MemoryKind kKind{kWidth, "sha256 of an encoder"};

inline MemoryFact fact_of(int64_t i) {
  const std::string number = std::to_string(i);
  switch (i % 3) {
    case 0:
      return {"Who built the bridge " + number + "?", "Ada Pell", "en", i};
    case 1:
      return {"谁建造了桥梁" + number + "？", "艾达", "zh", -i};
    default:
      return {"", std::string(static_cast<size_t>(i % 100), 'x'), "", i};
  }
}

inline at::Tensor embeddings_of(int64_t first, int64_t count) {
  return at::arange(first * kWidth, (first + count) * kWidth, at::kFloat).view({count, kWidth}) / 7;
}

inline std::vector<MemoryFact> facts_of(int64_t first, int64_t count) {
  std::vector<MemoryFact> facts;
  for (int64_t i = first; i < first + count; ++i) facts.push_back(fact_of(i));
  return facts;
}

/// Appends the next facts of the one list that all tests use.
inline void grow(EditMemory& memory, int64_t count) {
  const int64_t first = memory.size();
  memory.append(facts_of(first, count), embeddings_of(first, count));
}

inline void expect_first_facts(const EditMemory& memory, int64_t count) {
  ASSERT_EQ(memory.size(), count);
  for (int64_t i = 0; i < count; ++i) ASSERT_EQ(memory.fact(i), fact_of(i)) << i;
  EXPECT_TRUE(memory.embeddings().equal(embeddings_of(0, count)));
}

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class EditMemoryTest : public testing::Test {
 protected:
  EditMemory create() const { return EditMemory::create(file_, kKind); }
  EditMemory open(EditMemory::Access access = EditMemory::Access::kAppend) const {
    return EditMemory::open(file_, kKind, access);
  }
  TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "memory.h5";
  std::filesystem::path journal_ = folder_.path() / "memory.h5.journal";
};

}  // namespace xkde::test

#endif  // XKDE_TESTS_CORE_MEMORY_MEMORY_FACTS_H_
