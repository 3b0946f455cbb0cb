// Reads every seed and changes of it, the same ones each time: what a build without clang can do.
// XKDE_FUZZ_CHANGES says how many of each seed (default: 100).
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/io/file.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/temp_folder.h"

namespace xkde::fuzz {
namespace {

namespace fs = std::filesystem;

int changes_of_a_seed() {
  const char* wanted = std::getenv("XKDE_FUZZ_CHANGES");
  return wanted == nullptr ? 100 : std::stoi(wanted);
}

std::vector<fs::path> seeds_of(const FuzzTarget& target) {
  std::vector<fs::path> seeds;
  const fs::path folder = fs::path(XKDE_SOURCE_DIR "/tests/fuzz/corpus") / target.name;
  for (const auto& entry : fs::directory_iterator(folder)) seeds.push_back(entry.path());
  std::ranges::sort(seeds);
  return seeds;
}

/// A byte flipped, a part left out, doubled, or overwritten by a number that is seldom meant well.
std::string changed(std::string bytes, std::mt19937& random) {
  if (bytes.empty()) return bytes;
  const size_t at = random() % bytes.size();
  const size_t count = std::min<size_t>(1 + random() % 16, bytes.size() - at);
  switch (random() % 4) {
    case 0:
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
      break;
    case 1:
      bytes.erase(at, count);
      break;
    case 2:
      bytes.insert(at, bytes.substr(at, count));
      break;
    default:
      bytes.replace(at, count, std::string(count, random() % 2 == 0 ? '\xFF' : '9'));
  }
  return bytes;
}

TEST(FuzzCorpus, SeedsAreAcceptedAndTheirChangesReadOrRefused) {
  for (const FuzzTarget& target : targets()) {
    const test::TempFolder folder;
    std::mt19937 random(1);
    for (const fs::path& seed : seeds_of(target)) {
      const std::string bytes = text_of_file(seed);
      EXPECT_EQ(fuzz_one(target, bytes, folder.path()), std::nullopt) << seed;
      for (int i = 0; i < changes_of_a_seed(); ++i) {
        ASSERT_NO_THROW(fuzz_one(target, changed(bytes, random), folder.path()))
            << seed << ": change " << i;
      }
    }
  }
}

}  // namespace
}  // namespace xkde::fuzz
