#include "stages/run/progress.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde::recipe {
namespace {

using testing::HasSubstr;
using testing::Not;

const ProgressLine kLine{.label = "sft",
                         .step = 6,
                         .total = 24,
                         .detail = "loss 1.2345  norm 3.21  lr 1.00e-04  240 tokens/s",
                         .left = "3:32"};

TEST(ProgressBar, IsWholeWhereThereIsRoom) {
  EXPECT_EQ(progress_bar(kLine, 120),
            "sft [======                  ] 6/24  loss 1.2345  norm 3.21  lr 1.00e-04  "
            "240 tokens/s  left 3:32");
}

TEST(ProgressBar, IsShorterBeforeFiguresAreLeftOut) {
  const std::string line = progress_bar(kLine, 79);

  EXPECT_EQ(line.size(), 79U);
  EXPECT_THAT(line, HasSubstr("240 tokens/s  left 3:32"));
}

TEST(ProgressBar, LeavesOutTheLastFiguresFirst) {
  const std::string line = progress_bar(kLine, 60);

  EXPECT_THAT(line, HasSubstr("loss 1.2345  norm 3.21  left 3:32"));
  EXPECT_THAT(line, Not(HasSubstr("lr")));
}

TEST(ProgressBar, NeverTakesMoreThanItsColumns) {
  for (int64_t columns = 1; columns <= 130; ++columns)
    EXPECT_LE(std::ssize(progress_bar(kLine, columns)), columns) << columns;
  EXPECT_EQ(progress_bar(kLine, 20), "sft 6/24  left 3:32");
  EXPECT_EQ(progress_bar(kLine, 6), "sft 6/");
}

TEST(ProgressBar, IsFullWhereNothingIsToBeDone) {
  const ProgressLine line{.label = "rank", .step = 0, .total = 0, .detail = "", .left = "0:00"};

  EXPECT_EQ(progress_bar(line, 32), "rank [==========] 0/0  left 0:00");
}

}  // namespace
}  // namespace xkde::recipe
