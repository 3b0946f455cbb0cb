#include "stages/capability/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

using ::testing::HasSubstr;

std::string with_stage(const std::string& keys) {
  return "model: {model_name_or_path: m}\nstages:\n  - capability: {" + keys + "}\n";
}

TEST(CapabilityStage, NamesAFileByItsStemAndReadsItsOwnKeysAgain) {
  const std::string text = with_stage(
      "choices: [{data: d/belebele_de.jsonl, lang: de, target_delimiter: \"\"}], "
      "perplexity: [{data: w.txt, documents: file, name: wiki}]");

  const Recipe recipe = parse_recipe(text, "r.yaml", kStageParsers);
  const auto& stage = as<CapabilityStage>(*recipe.stages.front());

  EXPECT_EQ(stage.choices.front().name, "belebele_de");
  EXPECT_EQ(stage.choices.front().target_delimiter, "");
  EXPECT_EQ(stage.perplexity.front().name, "wiki");
  EXPECT_EQ(stage.perplexity.front().lang, "und");
  EXPECT_EQ(stage.perplexity.front().documents, DocumentUnit::kFile);
  const Json all = resolved(recipe);
  EXPECT_EQ(resolved(parse_recipe(all.dump(), "again.yaml", kStageParsers)), all);
  EXPECT_EQ(stage.files().size(), 2U);
}

TEST(CapabilityStage, AsksForAFile) {
  EXPECT_THAT(error_of(with_stage("token_tree: true")),
              HasSubstr("perplexity: expected this key or choices, found neither"));
  EXPECT_THAT(error_of(with_stage("choices: [{lang: de}]")), HasSubstr("choices.0.data"));
  EXPECT_THAT(error_of(with_stage("choices: [{data: d, documents: file}]")),
              HasSubstr("choices.0.documents"));
}

}  // namespace
}  // namespace xkde::recipe
