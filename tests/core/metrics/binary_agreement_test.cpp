#include "core/metrics/binary_agreement.h"

#include <gtest/gtest.h>

namespace xkde {
namespace {

TEST(BinaryAgreement, CountsWhoSaidWhat) {
  BinaryAgreement counts;
  counts.add(true, true);
  counts.add(true, false);
  counts.add(true, false);
  counts.add(false, true);
  for (int i = 0; i < 4; ++i) counts.add(false, false);

  EXPECT_EQ(counts.both, 1);
  EXPECT_EQ(counts.only_first, 2);
  EXPECT_EQ(counts.only_second, 1);
  EXPECT_EQ(counts.neither, 4);
  EXPECT_EQ(counts.n(), 8);
  EXPECT_DOUBLE_EQ(*counts.equal(), 0.625);
}

TEST(BinaryAgreement, KappaIsWhatOneComputesByHand) {
  // Of 50: yes 25 and 30 times. e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5, o = 35 / 50 = 0.7: 0.2 / 0.5.
  const BinaryAgreement half{.both = 20, .only_first = 5, .only_second = 10, .neither = 15};
  EXPECT_NEAR(*half.kappa(), 0.4, 1e-12);
  // Each yes of one is a no of the other: o = 0, e = 0.5.
  const BinaryAgreement opposed{.both = 0, .only_first = 3, .only_second = 3, .neither = 0};
  EXPECT_NEAR(*opposed.kappa(), -1.0, 1e-12);
  const BinaryAgreement same{.both = 2, .only_first = 0, .only_second = 0, .neither = 7};
  EXPECT_NEAR(*same.kappa(), 1.0, 1e-12);
  // One says yes of all: o = e = 0.25.
  const BinaryAgreement blind{.both = 1, .only_first = 3, .only_second = 0, .neither = 0};
  EXPECT_EQ(*blind.kappa(), 0.0);
}

TEST(BinaryAgreement, KappaIsNotDefinedWhereAllVerdictsAreAlike) {
  EXPECT_FALSE(BinaryAgreement().equal());
  EXPECT_FALSE(BinaryAgreement().kappa());
  const BinaryAgreement yes{.both = 4, .only_first = 0, .only_second = 0, .neither = 0};
  const BinaryAgreement no{.both = 0, .only_first = 0, .only_second = 0, .neither = 4};
  EXPECT_DOUBLE_EQ(*yes.equal(), 1.0);
  EXPECT_FALSE(yes.kappa());
  EXPECT_FALSE(no.kappa());
}

}  // namespace
}  // namespace xkde
