#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

/// What reading a recipe with an `edit` stage of these keys says.
std::string error_of_edit(const std::string& keys) {
  return error_of(
      "model: {model_name_or_path: m}\nstages:\n  - edit: {benchmark: mzsre, data: d, "
      "edit_languages: [en], " +
      keys + "}\n");
}

TEST(EditMistakes, EditNeedsAMethodAndItsKeys) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"records: \"0:2\"", "edit.method: expected ft_l, ft_m, locft_bf, lora, rome, memit"},
      {"method: xkde", "edit.method: expected ft_l, ft_m"},
      {"method: ft_m, test_languages: [es]", "edit.test_languages: unknown key"},
      {"method: ft_m, editor: {lora_r: 2}",
       "edit.editor.lora_r: expected method: lora beside this key, found ft_m"},
      {"method: ultraedit, editor: {steps: 2}",
       "edit.editor.steps: expected method: ft_l, ft_m, lora, rome, memit, memit_history, emmet, "
       "alphaedit, grace or wise beside this key, found ultraedit"},
      {"method: memit, editor: {cov_weight: 0}",
       "edit.editor.cov_weight: expected a positive number, found 0"},
      {"method: alphaedit, editor: {cov_weight: -1}",
       "edit.editor.cov_weight: expected a number of at least 0, found -1"},
      {"method: alphaedit, editor: {refresh_every: -1}",
       "edit.editor.refresh_every: expected an integer of at least 0, found -1"},
      {"method: rome, editor: {anchor_edits: 2}",
       "edit.editor.anchor_edits: expected method: memit, memit_history, emmet or alphaedit beside "
       "this key, found rome"},
      {"method: memit, editor: {whiten: true}",
       "edit.editor.whiten: expected method: ultraedit beside this key, found memit"},
      {"method: ultraedit, editor: {whiten: 1}", "edit.editor.whiten: expected true or false"},
      {"method: ft_l, editor: {context_templates: [\"{}\"]}",
       "edit.editor.context_templates: expected method: rome, memit, memit_history, emmet, "
       "alphaedit or wise beside this key, found ft_l"},
      {"method: memit, editor: {unrelated: [u]}",
       "edit.editor.unrelated: expected method: wise beside this key, found memit"},
      {"method: grace",
       "edit.method: expected a method that writes into weights: ft_l, ft_m, locft_bf, lora, rome, "
       "memit, memit_history, emmet, alphaedit or ultraedit, found grace, whose edits are looked "
       "up "
       "beside them (evaluate.method)"},
      {"method: rome, editor: {covariance: c.h5}",
       "edit.editor.covariance: expected method: memit, memit_history, emmet or alphaedit beside "
       "this key, found rome"},
      {"method: rome, editor: {context_templates: [\"no place\"]}",
       "edit.editor.context_templates.0: expected a text with {} where the prompt goes, found"},
      {"method: rome, editor: {layers: [-1]}",
       "edit.editor.layers.0: expected an integer of at least 0, found -1"},
      {"method: rome, editor: {layers: []}", "edit.editor.layers: expected"},
      {"method: rome, editor: {steps: 0}",
       "edit.editor.steps: expected a positive integer, found 0"},
      {"method: rome, editor: {clamp_norm: 0}",
       "edit.editor.clamp_norm: expected a positive number, found 0"},
      {"method: rome, editor: {kl_factor: -1}",
       "edit.editor.kl_factor: expected a number of at least 0, found -1"},
      {"method: rome, editor: {batch: 0}",
       "edit.editor.batch: expected a positive integer, found 0"},
      {"method: rome, editor: {preset: llama2}", "did you mean 'llama2-7b'?"},
      {"method: rome, editor: {chat_template: model}",
       "edit.editor.chat_template: expected auto, chatml"},
  };
  for (const auto& [keys, told] : mistakes)
    EXPECT_THAT(error_of_edit(keys), testing::HasSubstr(told)) << keys;
}

TEST(EditMistakes, BesideAnUnknownMethodEveryKeyOfAnyMayStand) {
  const std::string error = error_of_edit(
      "method: rom, editor: {epochs: 2, covariance: c, clamp_norm: 0, lora_aplha: 1}");

  EXPECT_THAT(error, testing::HasSubstr("r.yaml: 2 errors\n"));
  EXPECT_THAT(error, testing::HasSubstr("did you mean 'rome'?"));
  EXPECT_THAT(error, testing::HasSubstr("lora_aplha: unknown key; did you mean 'lora_alpha'?"));
}

TEST(EditMistakes, AKeyOfAnotherMethodIsToldOnce) {
  const std::string error =
      error_of_edit("method: rome, editor: {epochs: 2, covariance: c, lora_alpha: 1}");

  EXPECT_THAT(error, testing::Not(testing::HasSubstr("unknown key")));
  for (const char* key : {"epochs", "covariance", "lora_alpha"})
    EXPECT_THAT(error,
                testing::HasSubstr(std::string("edit.editor.") + key + ": expected method: "));
}

}  // namespace
}  // namespace xkde::recipe
