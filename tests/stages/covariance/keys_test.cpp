#include "stages/covariance/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

using ::testing::HasSubstr;

std::string with_covariance(const std::string& keys) {
  return "model: {model_name_or_path: m}\nstages:\n  - covariance: {" + keys + "}\n";
}

TEST(CovarianceStage, ReadsItsOwnKeysAgain) {
  for (const char* keys :
       {"texts: [{data: a.txt, lang: de}, {data: b.txt, documents: file}], layers: [4, 2], "
        "modules: [gate_up, down_proj], per_language: true, max_tokens: 0",
        "import: [{data: a.npz, layer: 4}, {data: a.npz, layer: 4, module: qkv}]"}) {
    const Recipe recipe = parse_recipe(with_covariance(keys), "r.yaml", kStageParsers);
    const Json all = resolved(recipe);

    EXPECT_EQ(resolved(parse_recipe(all.dump(), "again.yaml", kStageParsers)), all);
    EXPECT_FALSE(recipe.stages.front()->changes_model());
  }
}

TEST(CovarianceStage, NamesEachFileOnce) {
  const Recipe recipe = parse_recipe(
      with_covariance("layers: [0], texts: [{data: a, lang: de}, {data: b}, {data: a, lang: en}]"),
      "r.yaml", kStageParsers);

  EXPECT_EQ(recipe.stages.front()->files(), (std::set<std::filesystem::path>{"a", "b"}));
}

TEST(CovarianceStage, AsksForTextsOrImports) {
  EXPECT_THAT(error_of(with_covariance("layers: [0]")),
              HasSubstr("covariance.texts: expected this key or import, found neither"));
  EXPECT_THAT(error_of(with_covariance("texts: [{data: a}], layers: [0], "
                                       "import: [{data: b, layer: 1}]")),
              HasSubstr("covariance.import: expected this key or texts, found both"));
  EXPECT_THAT(error_of(with_covariance("texts: [{data: a}]")), HasSubstr("covariance.layers"));
}

TEST(CovarianceStage, RefusesKeysThatSayNothingOfImports) {
  EXPECT_THAT(error_of(with_covariance("import: [{data: b, layer: 1}], max_tokens: 5")),
              HasSubstr("covariance.max_tokens: expected texts beside it, found import"));
}

TEST(CovarianceStage, RefusesAModuleTwiceOrUnknown) {
  EXPECT_THAT(error_of(with_covariance("import: [{data: a, layer: 1}, {data: b, layer: 1}]")),
              HasSubstr("expected each module of a layer once, found layer 1 twice"));
  EXPECT_THAT(error_of(with_covariance("texts: [{data: a}], layers: [0], modules: [down]")),
              HasSubstr("covariance.modules.0: expected down_proj, gate_up, qkv or o_proj, found "
                        "down; did you mean 'down_proj'?"));
  EXPECT_THAT(error_of(with_covariance("texts: [{data: a}], layers: [-1]")),
              HasSubstr("covariance.layers.0: expected an integer of at least 0, found -1"));
}

TEST(CovarianceStage, RefusesALanguageThatCannotNameAPartOfAFile) {
  EXPECT_THAT(error_of(with_covariance("layers: [0], texts: [{data: a, lang: \"de/at\"}]")),
              HasSubstr("covariance.texts.0.lang: expected a text of letters, digits, '-' and "
                        "'_', found \"de/at\""));
}

}  // namespace
}  // namespace xkde::recipe
