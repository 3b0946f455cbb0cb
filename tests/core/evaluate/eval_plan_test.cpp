#include "core/evaluate/eval_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

using testing::HasSubstr;

/// "size/stream/edit in begin:end" of each moment.
std::vector<std::string> texts_of(const std::vector<EditMoment>& moments) {
  std::vector<std::string> texts;
  for (const EditMoment& m : moments) {
    texts.push_back(
        concat(m.size, "/", m.stream, "/", m.edit, " in ", m.memory_begin, ":", m.memory_end));
  }
  return texts;
}

std::vector<std::string> plan(EditMode mode, std::vector<int64_t> sizes, EvalWhen when,
                              std::vector<int64_t> streams) {
  return texts_of(edit_moments(mode, sizes, when, streams));
}

TEST(EvalPlan, SingleShowsEachEditAlone) {
  EXPECT_THAT(plan(EditMode::kSingle, {1}, EvalWhen::kEnd, {2, 1}),
              testing::ElementsAre("0/0/0 in 0:1", "0/0/1 in 1:2", "0/1/0 in 0:1"));
}

TEST(EvalPlan, BatchCutsIntoChunksAndTheLastMayBeShort) {
  EXPECT_THAT(plan(EditMode::kBatch, {1, 2}, EvalWhen::kEnd, {3}),
              testing::ElementsAre("0/0/0 in 0:1", "0/0/1 in 1:2", "0/0/2 in 2:3", "1/0/0 in 0:2",
                                   "1/0/1 in 0:2", "1/0/2 in 2:3"));
}

TEST(EvalPlan, StreamIsItsFirstEditsAskedAtItsEnd) {
  EXPECT_THAT(plan(EditMode::kSequential, {1, 2}, EvalWhen::kEnd, {3}),
              testing::ElementsAre("0/0/0 in 0:1", "1/0/0 in 0:2", "1/0/1 in 0:2"));
  EXPECT_EQ(plan(EditMode::kSequential, {1, 2}, EvalWhen::kAtSizes, {3}),
            plan(EditMode::kSequential, {1, 2}, EvalWhen::kEnd, {3}));
}

TEST(EvalPlan, ImmediateSeesWhatCameSoFar) {
  EXPECT_THAT(plan(EditMode::kSequential, {3}, EvalWhen::kImmediate, {3}),
              testing::ElementsAre("0/0/0 in 0:1", "0/0/1 in 0:2", "0/0/2 in 0:3"));
}

TEST(EvalPlan, ByAgeAsksEachEditAtOnceToo) {
  const std::vector<int64_t> sizes{2}, streams{3};
  const std::vector<EditMoment> moments =
      edit_moments(EditMode::kSequential, sizes, EvalWhen::kEnd, streams, true);
  EXPECT_THAT(texts_of(moments),
              testing::ElementsAre("0/0/0 in 0:2", "0/0/0 in 0:1", "0/0/1 in 0:2", "0/0/1 in 0:2"));
  std::vector<int64_t> ages;
  for (const EditMoment& moment : moments) ages.push_back(moment.age());
  EXPECT_THAT(ages, testing::ElementsAre(2, 1, 1, 1));
  EXPECT_FALSE(moments[0].is_at_once);
  EXPECT_TRUE(moments[1].is_at_once);
}

TEST(AgeBins, MeetAndGrow) {
  std::vector<std::string> names;
  int64_t last = 0;
  for (int64_t age = 1; age <= 1000; age = last + 1) {
    const AgeBin bin = age_bin(age);
    EXPECT_EQ(bin.first, last + 1);
    EXPECT_EQ(age_bin(bin.last), bin);
    names.push_back(bin.name());
    last = bin.last;
  }
  EXPECT_THAT(names,
              testing::ElementsAre("1", "2-5", "6-10", "11-50", "51-100", "101-500", "501-1000"));
}

TEST(EvalPlan, SizeBeyondTheRecordsIsADataError) {
  for (const EditMode mode : {EditMode::kBatch, EditMode::kSequential}) {
    try {
      plan(mode, {2, 4}, EvalWhen::kEnd, {5, 3});
      FAIL();
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(),
                  HasSubstr("sizes: expected at most 3 (the records at hand), found 4"));
    }
  }
}

}  // namespace
}  // namespace xkde
