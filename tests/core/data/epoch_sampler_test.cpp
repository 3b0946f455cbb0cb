#include "core/data/epoch_sampler.h"

#include <algorithm>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace xkde {
namespace {

using testing::HasSubstr;

TEST(EpochSampler, EpochVisitsEverySampleOnce) {
  EpochSampler sampler(42, 21, 8);

  std::vector<int64_t> seen;
  for (int64_t step = 0; step < sampler.steps_per_epoch(); ++step) {
    const std::vector<int64_t> batch = sampler.batch(0, step);
    seen.insert(seen.end(), batch.begin(), batch.end());
  }
  EXPECT_EQ(seen, sampler.order(0));
  std::sort(seen.begin(), seen.end());
  std::vector<int64_t> all(21);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(seen, all);
}

TEST(EpochSampler, LastBatchIsShort) {
  EpochSampler sampler(42, 21, 8);

  EXPECT_EQ(sampler.steps_per_epoch(), 3);
  EXPECT_EQ(sampler.batch(0, 1).size(), 8U);
  EXPECT_EQ(sampler.batch(0, 2).size(), 5U);
}

TEST(EpochSampler, OrderIsTheNamedStreamOfSeedAndEpoch) {
  EpochSampler sampler(7, 100, 10);

  EXPECT_EQ(sampler.order(3), RandomStream(7, "data_order", 3).permutation(100));
  EXPECT_NE(sampler.order(3), sampler.order(4));
  EXPECT_NE(sampler.order(3), EpochSampler(8, 100, 10).order(3));
}

TEST(EpochSampler, BatchDoesNotDependOnWhatWasAskedBefore) {
  EpochSampler walked(1, 50, 4);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    for (int64_t step = 0; step < walked.steps_per_epoch(); ++step) walked.batch(epoch, step);
  }

  EXPECT_EQ(walked.batch(1, 5), EpochSampler(1, 50, 4).batch(1, 5));
}

TEST(EpochSampler, GlobalBatchOnlyCutsTheOrder) {
  EpochSampler eight(1, 40, 8);
  EpochSampler four(1, 40, 4);

  std::vector<int64_t> joined = four.batch(0, 0);
  const std::vector<int64_t> next = four.batch(0, 1);
  joined.insert(joined.end(), next.begin(), next.end());
  EXPECT_EQ(joined, eight.batch(0, 0));
}

TEST(EpochSampler, LastBatchCanBeFilledFromTheEpochsBeginning) {
  EpochSampler sampler(1, 10, 4, /*fills_last=*/true);
  const std::vector<int64_t> first = sampler.batch(0, 0);
  const std::vector<int64_t> last = sampler.batch(0, 2);

  ASSERT_EQ(last.size(), 4U);
  EXPECT_EQ(std::vector<int64_t>(last.begin() + 2, last.end()),
            std::vector<int64_t>(first.begin(), first.begin() + 2));
  EpochSampler few(1, 3, 8, true);
  EXPECT_EQ(few.batch(0, 0).size(), 8U);
}

TEST(EpochSampler, WhatIsLeftOutDoesNotChangeTheOrderOfTheOthers) {
  for (const bool in_groups : {false, true}) {
    EpochSampler all(42, 20, 6, true);
    EpochSampler some(42, 20, 6, true);
    if (in_groups) {
      std::vector<int64_t> group_of(20);
      for (size_t i = 0; i < 20; ++i) group_of[i] = static_cast<int64_t>(i / 3);
      all.keep_together(group_of);
      some.keep_together(group_of);
    }
    some.leave_out({});
    EXPECT_EQ(some.order(3), all.order(3));

    some.leave_out({4, 11, 0});

    std::vector<int64_t> expected = all.order(3);
    std::erase_if(expected, [](int64_t i) { return i == 4 || i == 11 || i == 0; });
    EXPECT_EQ(some.order(3), expected);
    EXPECT_EQ(some.steps_per_epoch(), 3);
    std::vector<int64_t> last(expected.begin() + 12, expected.end());
    last.push_back(expected.front());  // 17 samples, and the last batch is filled
    EXPECT_EQ(some.batch(3, 2), last);
  }
}

TEST(EpochSampler, RefusesToLeaveOutAll) {
  EpochSampler sampler(42, 2, 1);

  EXPECT_THROW(sampler.leave_out({1, 0}), ConfigError);
}

TEST(EpochSampler, PositionCountsStepsOverEpochs) {
  const EpochSampler sampler(1, 10, 4);

  EXPECT_EQ(sampler.position(0), std::pair(int64_t{0}, int64_t{0}));
  EXPECT_EQ(sampler.position(3), std::pair(int64_t{1}, int64_t{0}));
  EXPECT_EQ(sampler.position(8), std::pair(int64_t{2}, int64_t{2}));
}

TEST(EpochSampler, RejectsWhatCannotBeSampled) {
  try {
    EpochSampler(1, 0, 4);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("expected at least one sample"));
  }
  try {
    EpochSampler(1, 4, 0);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("global batch: expected a positive number, found 0"));
  }
  EXPECT_THROW(EpochSampler(1, 4, 2).batch(0, 2), InternalError);
  EXPECT_THROW(EpochSampler(1, 4, 2).batch(-1, 0), InternalError);
}

}  // namespace
}  // namespace xkde
