#include "core/base/rng.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The order of training data, dev splits and sampled answers on users' disks follow from these
// values. They were computed by another program from the description in rng.h.

TEST(RandomStream, ValuesFollowFromSeedNameAndIndex) {
  RandomStream order(42, "order");
  RandomStream second(42, "order", 1);
  RandomStream other(42, "dev_split");
  RandomStream empty(0, "");

  EXPECT_EQ(order.next(), 0x9c0ffeb6e4dd307aULL);
  EXPECT_EQ(order.next(), 0xd17b0b074357c9f1ULL);
  EXPECT_EQ(order.next(), 0xe93ef38a0d592b89ULL);
  EXPECT_EQ(second.next(), 0x47d8e165095dbb8dULL);
  EXPECT_EQ(other.next(), 0xc351cecabb8d143bULL);
  EXPECT_EQ(empty.next(), 0x02bd0b4f191757faULL);
}

TEST(RandomStream, NumbersBelowABoundArePinned) {
  RandomStream random(42, "order");
  std::vector<uint64_t> numbers;

  for (int i = 0; i < 8; ++i) numbers.push_back(random.below(10));

  EXPECT_THAT(numbers, ElementsAre(6, 1, 3, 2, 5, 3, 5, 4));
}

TEST(RandomStream, UniformNumbersArePinned) {
  RandomStream random(42, "order");

  EXPECT_EQ(random.uniform(), 0x1.381ffd6dc9ba6p-1);
  EXPECT_EQ(random.uniform(), 0x1.a2f6160e86af9p-1);
  EXPECT_EQ(random.uniform(), 0x1.d27de7141ab25p-1);
}

TEST(RandomStream, PermutationsArePinned) {
  EXPECT_THAT(RandomStream(42, "order").permutation(8), ElementsAre(0, 4, 3, 5, 7, 1, 6, 2));
  EXPECT_THAT(RandomStream(42, "order", 1).permutation(8), ElementsAre(7, 4, 1, 3, 6, 2, 0, 5));
  EXPECT_THAT(RandomStream(7, "x").permutation(1), ElementsAre(0));
  EXPECT_THAT(RandomStream(7, "x").permutation(0), IsEmpty());
}

}  // namespace
}  // namespace xkde
