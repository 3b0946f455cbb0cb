#include "core/metrics/answer_overlap.h"

#include <vector>

#include <gtest/gtest.h>

namespace xkde {
namespace {

using Ids = std::vector<int64_t>;

TEST(AnswerF1, ExampleOfTheProtocol) {
  const Ids a{1, 2, 2, 3}, b{2, 2, 4};
  EXPECT_NEAR(answer_f1(a, b, F1Formula::kHarmonic), 0.571429, 1e-6);
  EXPECT_NEAR(answer_f1(a, b, F1Formula::kSquared), 0.333333, 1e-6);
}

TEST(AnswerF1, NothingInCommonAndEmptyAnswers) {
  for (const F1Formula formula : {F1Formula::kHarmonic, F1Formula::kSquared}) {
    EXPECT_EQ(answer_f1(Ids{1}, Ids{2}, formula), 0.0);
    EXPECT_EQ(answer_f1(Ids{}, Ids{}, formula), 1.0);
    EXPECT_EQ(answer_f1(Ids{}, Ids{2}, formula), 0.0);
    EXPECT_EQ(answer_f1(Ids{3, 1}, Ids{1, 3}, formula), 1.0);
  }
}

}  // namespace
}  // namespace xkde
