#include "core/reward/nllb_reward.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "core/model/encoders/encoder_files.h"
#include "tests/core/text/error_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::error_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

namespace fs = std::filesystem;

const fs::path kNllb = XKDE_SOURCE_DIR "/tests/golden/nllb";

TEST(NllbReward, IsTwoForTheLossesOfTheProtocolsExample) {
  EXPECT_DOUBLE_EQ(inverse_mean_loss(std::array{0.2, 1.0, 0.6, 0.2}), 2.0);
}

TEST(NllbReward, IsTheInverseOfTransformersMeanLoss) {
  const Json golden = read_json_file(kNllb / "golden.json");

  for (const Json& pair : golden.at("pairs")) {
    const auto reward =
        make_nllb_reward(kNllb, {.source_code = pair.at("source_language").get<std::string>(),
                                 .target_code = pair.at("label_language").get<std::string>()});
    const RewardCase one{.gold = pair.at("label_text").get<std::string>(),
                         .answers = {pair.at("source_text").get<std::string>()},
                         .gold_language = "",
                         .answer_language = ""};
    const double expected = inverse_mean_loss(pair.at("losses").get<std::vector<double>>());
    EXPECT_NEAR(reward->score({&one, 1}).at(0).at(0), expected, 1e-5);
  }
}

std::vector<RewardCase> mixed_cases() {
  return {{"The old bridge", {"旧桥", "", "1911", "旧桥"}, "en", "zh"},
          {"Мост", {}, "ru", "en"},
          {"Die alte Brücke", {"旧桥", "über den Fluß"}, "de", "zh"},
          {"řeka", {"the river Lomba", "旧桥"}, "cz", "en"}};
}

TEST(NllbReward, ABatchGivesWhatEachAnswerAloneGives) {
  const auto reward = make_nllb_reward(kNllb);
  const auto small = make_nllb_reward(kNllb, {.max_tokens_per_batch = 1});
  const std::vector<RewardCase> cases = mixed_cases();

  const auto together = reward->score(cases);
  const auto apart = small->score(cases);

  ASSERT_EQ(together.size(), cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    ASSERT_EQ(together[i].size(), cases[i].answers.size());
    for (size_t j = 0; j < cases[i].answers.size(); ++j) {
      RewardCase one = cases[i];
      one.answers = {cases[i].answers[j]};
      const double alone = reward->score({&one, 1}).at(0).at(0);
      EXPECT_NEAR(together[i][j], alone, 1e-5 * alone);
      EXPECT_NEAR(apart[i][j], alone, 1e-5 * alone);
    }
  }
  EXPECT_EQ(together[0][0], together[0][3]);  // equal answers
}

TEST(NllbReward, TheLanguagesGiveTheDirectionUnlessCodesAreFixed) {
  const std::vector<RewardCase> cases = {{"The bridge", {"the bridge"}, "en", "zh"}};
  const std::vector<RewardCase> other = {{"The bridge", {"the bridge"}, "en", "de"}};
  const auto own = make_nllb_reward(kNllb);
  const auto fixed =
      make_nllb_reward(kNllb, {.source_code = "zho_Hans", .target_code = "eng_Latn"});

  EXPECT_EQ(own->score(cases), fixed->score(other));
  EXPECT_NE(own->score(other), fixed->score(other));
}

TEST(NllbReward, AsksForLanguagesThatItKnows) {
  const auto reward = make_nllb_reward(kNllb);
  const std::vector<RewardCase> none = {{"gold", {"answer"}, "en", ""}};
  const std::vector<RewardCase> unknown = {{"gold", {"answer"}, "xx", "en"}};

  EXPECT_THAT(error_of([&] { reward->score(none); }),
              AllOf(StartsWith("ConfigError"), HasSubstr("language of the answers")));
  EXPECT_THAT(error_of([&] { reward->score(unknown); }),
              AllOf(StartsWith("ConfigError"), HasSubstr("\"xx\"")));
  EXPECT_THAT(error_of([&] { make_nllb_reward(kNllb, {.source_code = "zho_Hant"}); }),
              AllOf(StartsWith("ConfigError"), HasSubstr("zho_Hans")));
}

TEST(NllbReward, RefusesAVocabularyThatDoesNotFitTheWeights) {
  const test::TempFolder folder;
  fs::copy(kNllb, folder.path());
  fs::remove(folder.path() / "tokenizer.json");  // 202 languages instead of 12

  EXPECT_THAT(error_of([&] { make_nllb_reward(folder.path()); }),
              AllOf(StartsWith("DataError"), HasSubstr("config.json: vocab_size"),
                    HasSubstr("524 tokens"), HasSubstr("found 336")));
}

TEST(NllbReward, NamesEveryFileThatItReads) {
  const test::TempFolder folder;

  EXPECT_EQ(nllb_files(kNllb),
            (std::vector<fs::path>{kNllb / "config.json", kNllb / "sentencepiece.bpe.model",
                                   kNllb / "tokenizer.json", kNllb / "model.safetensors"}));
  EXPECT_THAT(error_of([&] { nllb_files(folder.path()); }),
              AllOf(StartsWith("MissingInputError"), HasSubstr("config.json")));
}

TEST(ChrfReward, IsTheChrfOfEachAnswer) {
  const std::vector<RewardCase> cases = {{"abc", {"abc", "xyz"}, "", ""}, {"abc", {}, "", ""}};

  EXPECT_EQ(make_chrf_reward()->score(cases), (std::vector<std::vector<double>>{{100.0, 0.0}, {}}));
}

}  // namespace
}  // namespace xkde
