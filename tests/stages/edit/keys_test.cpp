#include "stages/edit/keys.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stages/recipe/recipe_text.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string edit_stage(const std::string& keys) {
  return "model: {model_name_or_path: m}\nstages:\n  - edit: {" + keys + "}\n";
}

Recipe edit_recipe(const std::string& keys) {
  return parse_recipe(edit_stage(keys), "r.yaml", kStageParsers);
}

TEST(EditStage, ReadsItsOwnKeysAgain) {
  const Recipe recipe = edit_recipe(
      "benchmark: mzsre, data: d, edit_languages: [en, es], records: \"0:4\", method: rome, "
      "editor: {layers: [3], steps: 2, kl_factor: 0, context_templates: [\"{}\", \"So: {}\"], "
      "preset: llama3-8b, batch: 5, chat_template: chatml}");
  const auto& stage = as<EditStage>(*recipe.stages.front());

  EXPECT_EQ(stage.method, EditorKind::kRome);
  EXPECT_THAT(*stage.editor.layers, ElementsAre(3));
  EXPECT_EQ(stage.editor.steps, 2);
  EXPECT_EQ(stage.editor.kl_factor, 0.0);
  EXPECT_FALSE(stage.editor.learning_rate);
  EXPECT_THAT(stage.editor.context_templates, ElementsAre("{}", "So: {}"));
  EXPECT_EQ(stage.editor.preset, EditorPreset::kLlama3);
  EXPECT_EQ(stage.editor.batch, 5);
  EXPECT_EQ(stage.editor.chat_template, "chatml");
  const Json all = resolved(recipe);
  EXPECT_EQ(resolved(parse_recipe(all.dump(), "again.yaml", kStageParsers)), all);
}

TEST(EditStage, ReadsWhatNewerPapersAdd) {
  const Recipe recipe = edit_recipe(
      "benchmark: mzsre, data: d, edit_languages: [en], method: alphaedit, "
      "editor: {anchor_edits: 7, cov_weight: 3000, refresh_every: 0}");
  const auto& stage = as<EditStage>(*recipe.stages.front());
  EXPECT_EQ(stage.editor.anchor_edits, 7);
  EXPECT_EQ(stage.editor.cov_weight, 3000.0);
  EXPECT_EQ(stage.editor.refresh_every, 0);

  const Recipe other = edit_recipe(
      "benchmark: mzsre, data: d, edit_languages: [en], method: ultraedit, "
      "editor: {whiten: true, ridge: 10}");
  EXPECT_EQ(as<EditStage>(*other.stages.front()).editor.whiten, true);
  EXPECT_EQ(as<EditStage>(*other.stages.front()).editor.ridge, 10.0);
  const Json all = resolved(other);
  EXPECT_EQ(resolved(parse_recipe(all.dump(), "again.yaml", kStageParsers)), all);
}

TEST(EditStage, TestsItsEditLanguagesAndNamesNoOthers) {
  const Recipe recipe =
      edit_recipe("benchmark: mzsre, data: d, edit_languages: [en, es], method: ft_m");
  const auto& stage = as<EditStage>(*recipe.stages.front());

  EXPECT_THAT(stage.edits.edit_languages, ElementsAre("en", "es"));
  EXPECT_EQ(stage.edits.test_languages, stage.edits.edit_languages);
  EXPECT_FALSE(stage.keys().contains("test_languages"));
  EXPECT_TRUE(stage.changes_model());
  EXPECT_EQ(stage.adapter(), nullptr);
  EXPECT_THAT(error_of(edit_stage("benchmark: mzsre, data: d, method: ft_m")),
              HasSubstr("edit.edit_languages: "));
}

TEST(EditStage, LanguagesOfASetThatHasOneMayBeLeftOut) {
  const Recipe recipe = edit_recipe("benchmark: wikibio, data: d, method: ft_m");
  const auto& stage = as<EditStage>(*recipe.stages.front());

  EXPECT_THAT(stage.edits.edit_languages, ElementsAre("en"));
  EXPECT_THAT(stage.edits.test_languages, ElementsAre("en"));
  EXPECT_THAT(
      error_of(edit_stage("benchmark: wikibio, data: d, method: ft_m, edit_languages: [es]")),
      HasSubstr("edit.edit_languages: expected [en], the only language of wikibio"));
}

TEST(EditStage, FilesAreThoseOfItsLanguagesAndTheSecondMoments) {
  const test::TempFolder folder;
  const auto edits = folder.write("edits_enes.json", "[]");
  EditStage stage;
  stage.edits.benchmark = "mzsre";
  stage.edits.data = edits;
  stage.edits.edit_languages = stage.edits.test_languages = {"en", "es"};
  EXPECT_THAT(stage.files(), ElementsAre(edits));

  stage.editor.covariance = folder.path() / "moments.h5";
  EXPECT_THAT(stage.files(), ElementsAre(edits, stage.editor.covariance));
}

}  // namespace
}  // namespace xkde::recipe
