#include "launch/sweep/point_table.h"

#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/evaluate/results/results_table.h"

namespace xkde {
namespace {

TEST(PointTable, HasColumnsAsWideAsTheirCells) {
  EXPECT_EQ(
      point_table({{"recipe", "seed", "sft.max_steps"}, {"a-00", "1", "3"}, {"a-01", "1", "40"}}),
      "recipe  seed  sft.max_steps\na-00    1     3\na-01    1     40\n");
}

TEST(PointTable, CutsTheWidestColumnsAtTheFront) {
  EXPECT_EQ(point_table({{"recipe", "sft.learning_rate", "x"}, {"a-00", "1e-4", "größer"}}, 24),
            "recipe  …ng_rate  x\na-00    1e-4      größer\n");
}

TEST(PointTable, NeverIsWiderThanItMayBe) {
  for (size_t columns = 1; columns < 40; ++columns) {
    std::vector<std::vector<std::string>> lines{{"recipe"}, {"quickstart-00"}};
    for (size_t i = 0; i < columns; ++i) {
      lines[0].push_back("section.key_" + std::to_string(i));
      lines[1].push_back(i % 2 == 0 ? "日本語のモデルの名前です/とても長い" : "1");
    }
    std::istringstream text(point_table(lines));
    for (std::string line; std::getline(text, line);) {
      EXPECT_LE(display_width(line), 80U) << line;
      EXPECT_EQ(line.ends_with("  …"), columns > 8) << line;
    }
  }
}

}  // namespace
}  // namespace xkde
