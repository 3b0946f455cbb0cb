#include "core/metrics/chrf.h"

#include <gtest/gtest.h>

#include "core/io/json_file.h"

namespace xkde {
namespace {

TEST(Chrf, EqualsSacreBleu) {
  const Json rows = read_json_file(XKDE_SOURCE_DIR "/tests/golden/chrf.json");
  ASSERT_GT(rows.size(), 50U);

  for (const Json& row : rows) {
    const auto hypothesis = row.at("hypothesis").get<std::string>();
    const auto reference = row.at("reference").get<std::string>();
    EXPECT_NEAR(chrf(hypothesis, reference), row.at("chrf").get<double>(), 1e-9)
        << hypothesis << " against " << reference;
  }
}

TEST(Chrf, IsAHundredForEqualTextsOnly) {
  EXPECT_DOUBLE_EQ(chrf("Rio Lomba", "RioLomba"), 100.0);  // white space does not count
  EXPECT_LT(chrf("Rio Lomba", "Rio Lombo"), 100.0);
  EXPECT_EQ(chrf("abc", "xyz"), 0.0);
}

}  // namespace
}  // namespace xkde
