#include "stages/watch/braille_plot.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde::recipe {
namespace {

using Points = std::vector<std::pair<double, double>>;
using testing::ElementsAre;

TEST(BraillePlot, DrawsAFallingLineFromTopLeftToBottomRight) {
  EXPECT_THAT(braille_plot(Points{{1, 10}, {2, 0}}, 2, 1), ElementsAre("⠑⢄"));
}

TEST(BraillePlot, DrawsARisingLineOverSeveralRows) {
  EXPECT_THAT(braille_plot(Points{{0, 0}, {7, 7}}, 4, 2), ElementsAre("⠀⠀⡠⠊", "⡠⠊⠀⠀"));
}

TEST(BraillePlot, PutsAnEvenCurveIntoTheMiddle) {
  EXPECT_THAT(braille_plot(Points{{1, 5}, {2, 5}, {3, 5}}, 2, 1), ElementsAre("⠒⠒"));
}

TEST(BraillePlot, LeavesOutWhatIsNotFinite) {
  const Points points{{1, 10}, {1.5, NAN}, {1.7, INFINITY}, {2, 0}};

  EXPECT_THAT(braille_plot(points, 2, 1), ElementsAre("⠑⢄"));
  EXPECT_THAT(braille_plot(Points{{1, NAN}}, 2, 1), ElementsAre("⠀⠀"));
}

TEST(BraillePlot, DrawsOnePointAndNone) {
  EXPECT_THAT(braille_plot(Points{{3, 4}}, 1, 1), testing::Not(ElementsAre("⠀")));
  EXPECT_THAT(braille_plot(Points{}, 3, 1), ElementsAre("⠀⠀⠀"));
}

}  // namespace
}  // namespace xkde::recipe
