#include "stages/build_data/keys.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// kSmallRecipe with more keys of build_data, each line indented as they stand there.
std::string small_with(const std::string& keys) {
  return with(kSmallRecipe, "  - build_data:\n", "  - build_data:\n" + keys);
}

/// What a mistake in `quadrants: {...}` says.
std::string quadrants_error(const std::string& keys) {
  return error_of(small_with("      quadrants: {" + keys + "}\n"));
}

BuildDataStage stage_of(const std::string& text) {
  return as<BuildDataStage>(*parse_recipe(text, "r.yaml", kStageParsers).stages.at(0));
}

constexpr const char* kAllKeys =
    "      quadrants:\n"
    "        distractors: [0.4, 0.3, 0.3]\n"
    "        in_scope_share: 0.6\n"
    "        with_edit_share: 1\n"
    "        monolingual_share: 0.0\n"
    "        src_share: 0.25\n"
    "        portability_share: 0.2\n"
    "        samples_per_pair: 100\n"
    "      exclude:\n"
    "        - {benchmark: bizsre, data: data/bizsre}\n"
    "        - {benchmark: zsre, data: data/knowedit}\n";

TEST(BuildDataKeys, AreRead) {
  const BuildDataStage stage = stage_of(small_with(kAllKeys));

  ASSERT_TRUE(stage.quadrants.has_value());
  EXPECT_THAT(stage.quadrants->distractors, ElementsAre(0.4, 0.3, 0.3));
  EXPECT_EQ(stage.quadrants->in_scope_share, 0.6);
  EXPECT_EQ(stage.quadrants->with_edit_share, 1.0);
  EXPECT_EQ(stage.quadrants->monolingual_share, 0.0);
  EXPECT_EQ(stage.quadrants->src_share, 0.25);
  EXPECT_EQ(stage.quadrants->portability_share, 0.2);
  EXPECT_EQ(stage.quadrants->samples_per_pair, 100);
  ASSERT_EQ(stage.exclude.size(), 2U);
  EXPECT_EQ(stage.exclude[1].benchmark, "zsre");
  EXPECT_EQ(stage.exclude[1].data, "data/knowedit");
}

TEST(BuildDataKeys, QuadrantsAreAskedForByTheirKeyAlone) {
  EXPECT_FALSE(stage_of(kSmallRecipe).quadrants.has_value());
  for (const char* text : {"      quadrants:\n", "      quadrants: {}\n"})
    EXPECT_TRUE(stage_of(small_with(text)).quadrants.has_value()) << text;
}

TEST(BuildDataKeys, ResolvedRecipeReadsBackTheSame) {
  for (const std::string& text : {small_with(kAllKeys), std::string(kSmallRecipe)}) {
    const Json json = resolved(parse_recipe(text, "r.yaml", kStageParsers));

    EXPECT_EQ(resolved(parse_recipe(json.dump(1), "r.yaml", kStageParsers)), json);
  }
}

TEST(BuildDataKeys, RecipesOfBeforeResolveToTheKeysOfBefore) {
  const Json build =
      resolved(parse_recipe(kSmallRecipe, "r.yaml", kStageParsers))["stages"][0]["build_data"];

  EXPECT_EQ(build.dump(),
            R"({"sources":[{"benchmark":"mzsre","data":"data/train","edit_languages":["en"],)"
            R"("test_languages":["es","fr"],"records":"","questions":["src","rephrase","loc"]}],)"
            R"("without_edit":false,"max_samples":0})");
}

TEST(BuildDataKeys, SharesAreFromZeroToOneAndAddUp) {
  EXPECT_THAT(quadrants_error("in_scope_share: 1.5"),
              HasSubstr("build_data.quadrants.in_scope_share: expected a number from 0 to 1, found "
                        "1.5"));
  EXPECT_THAT(quadrants_error("src_share: half"), HasSubstr("src_share: expected a number from 0"));
  EXPECT_THAT(quadrants_error("distractors: [0.5, 0.25]"),
              HasSubstr("build_data.quadrants.distractors: expected shares that add up to 1, found "
                        "0.75 in all"));
  EXPECT_THAT(quadrants_error("distractors: [0.25, 0.25, 0.25, 0.25, 0, 0]"),
              HasSubstr("expected at most 5 shares (of 0 to 4 distractors), found 6"));
  EXPECT_THAT(quadrants_error("distractors: [1.5, -0.5]"),
              HasSubstr("distractors.0: expected a number from 0 to 1, found 1.5"));
  EXPECT_THAT(quadrants_error("samples_per_pair: -1"),
              HasSubstr("samples_per_pair: expected an integer of at least 0, found -1"));
}

TEST(BuildDataKeys, UnknownKeysAreFoundWithASuggestion) {
  EXPECT_THAT(quadrants_error("in_scope: 0.5"),
              HasSubstr("build_data.quadrants.in_scope: unknown key"));
  EXPECT_THAT(error_of(small_with("      exclude: [{benchmark: mzsre, data: d, records: x}]\n")),
              HasSubstr("build_data.exclude.0.records: unknown key"));
}

TEST(BuildDataKeys, KeysOfTheOtherWayAreRefused) {
  EXPECT_THAT(error_of(small_with("      quadrants: {}\n      without_edit: false\n")),
              HasSubstr("build_data.without_edit: expected this key only without "
                        "build_data.quadrants, found both"));
  const std::string questions = with(kSmallRecipe, "          test_languages: [es, fr]\n",
                                     "          test_languages: [es, fr]\n"
                                     "          questions: [src]\n");
  EXPECT_THAT(
      error_of(with(questions, "      sources:\n", "      quadrants: {}\n      sources:\n")),
      HasSubstr("build_data.sources.0.questions: expected this key only without "
                "build_data.quadrants, found both"));
}

TEST(BuildDataKeys, KnowEditNeedsQuadrantsAndEnglish) {
  const std::string recent = with(kSmallRecipe, "benchmark: mzsre", "benchmark: recent");
  EXPECT_THAT(error_of(recent), HasSubstr("build_data.sources.0.benchmark: expected "
                                          "build_data.quadrants beside recent, found no such key"));
  EXPECT_THAT(error_of(recent), HasSubstr("build_data.sources.0.test_languages: expected [en], the "
                                          "only language of recent, found others"));
  EXPECT_EQ(error_of(with(with(recent, "test_languages: [es, fr]", "test_languages: [en]"),
                          "      sources:\n", "      quadrants: {}\n      sources:\n")),
            "");
}

TEST(BuildDataKeys, ExcludeNamesABenchmarkAndItsData) {
  EXPECT_THAT(error_of(small_with("      exclude: [{benchmark: mzsre}]\n")),
              HasSubstr("build_data.exclude.0.data: expected a path, found no such key"));
  EXPECT_THAT(error_of(small_with("      exclude: []\n")),
              HasSubstr("build_data.exclude: expected a list of mappings"));
}

}  // namespace
}  // namespace xkde::recipe
