#include "core/reward/encoder_reward.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/json_file.h"

namespace xkde {
namespace {

const std::filesystem::path kFolder = XKDE_SOURCE_DIR "/tests/golden/encoders/xlmr";

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

TEST(EncoderReward, IsTheCosineOfTransformersEmbeddings) {
  const Json golden = read_json_file(kFolder / "golden.json");
  const auto text = [&](size_t i) { return golden[i].at("text").get<std::string>(); };
  const auto row = [&](size_t i) { return golden[i].at("embedding").get<std::vector<double>>(); };
  const std::vector<RewardCase> cases = {{text(0), {text(4), text(8), text(0)}, "", ""},
                                         {text(1), {}, "", ""},
                                         {text(8), {text(4)}, "", ""}};

  const auto scores = make_encoder_reward(kFolder)->score(cases);

  ASSERT_EQ(scores.size(), 3U);
  ASSERT_EQ(scores[0].size(), 3U);
  EXPECT_NEAR(scores[0][0], cosine(row(0), row(4)), 1e-4);
  EXPECT_NEAR(scores[0][1], cosine(row(0), row(8)), 1e-4);
  EXPECT_NEAR(scores[0][2], 1.0, 1e-6);
  EXPECT_TRUE(scores[1].empty());
  EXPECT_NEAR(scores[2].at(0), cosine(row(8), row(4)), 1e-4);
}

TEST(EncoderReward, PrefixStandsBeforeEveryText) {
  const std::vector<RewardCase> plain = {{"the bridge", {"a river"}, "", ""}};
  const std::vector<RewardCase> prefixed = {{"query: the bridge", {"query: a river"}, "", ""}};

  EXPECT_EQ(make_encoder_reward(kFolder, 1024, "query: ")->score(plain),
            make_encoder_reward(kFolder)->score(prefixed));
  EXPECT_NE(make_encoder_reward(kFolder, 1024, "query: ")->score(plain),
            make_encoder_reward(kFolder)->score(plain));
}

TEST(EncoderReward, OfNoCasesIsEmpty) {
  EXPECT_TRUE(make_encoder_reward(kFolder)->score({}).empty());
}

}  // namespace
}  // namespace xkde
