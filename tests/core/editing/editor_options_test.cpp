#include "core/editing/editor_options.h"

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/model/families/families.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ModelConfig model_of(const char* family, int64_t layers) {
  ModelConfig config;
  config.family = &family_named(family);
  config.num_hidden_layers = layers;
  return config;
}

EditorSettings preset_settings(EditorKind kind, EditorPreset preset) {
  EditorOptions options;
  options.preset = preset;
  return editor_settings(kind, options,
                         model_of("llama", preset == EditorPreset::kQwen25 ? 28 : 32));
}

/// "gate_proj 11-15, up_proj 18-24"
std::string layers_in_words(const EditorSettings& settings) {
  std::string all;
  for (const ModuleLayers& module : settings.modules) {
    const int64_t first = module.layers.front(), last = module.layers.back();
    EXPECT_EQ(std::ssize(module.layers), last - first + 1) << module.module;
    all += concat(all.empty() ? "" : ", ", module.module, " ", first);
    if (last != first) all += concat("-", last);
  }
  return all;
}

/// "steps 25, learning_rate 0.0005"
std::string numbers_in_words(EditorKind kind, const EditorSettings& settings) {
  std::string all;
  const Json json = settings_json(kind, settings);
  for (const auto& [key, value] : json.items()) {
    if (key != "modules") all += concat(all.empty() ? "" : ", ", key, " ", value.dump());
  }
  return all;
}

/// The lines of the table in docs/recipes.md: presets that say the same share one.
std::vector<std::string> table_rows() {
  std::vector<std::string> rows;
  for (const EditorEntry& editor : kEditors) {
    std::vector<std::pair<std::string, std::string>> different;  // settings, and whose they are
    for (const auto& preset : kEditorPresetNames) {
      const EditorSettings settings = preset_settings(editor.value, preset.value);
      const std::string words =
          concat(layers_in_words(settings), " | ", numbers_in_words(editor.value, settings));
      if (!different.empty() && different.back().first == words) {
        different.back().second += concat(", ", preset.name);
      } else {
        different.emplace_back(words, preset.name);
      }
    }
    for (const auto& [words, names] : different)
      rows.push_back(concat("| ", editor.name, " | ", names, " | ", words, " |"));
  }
  return rows;
}

TEST(EditorOptions, PresetsAreThoseOfTheTableInTheDocs) {
  std::ifstream file(XKDE_SOURCE_DIR "/docs/recipes.md");
  std::set<std::string> lines;
  std::string line;
  while (std::getline(file, line)) lines.insert(line);

  for (const std::string& row : table_rows()) EXPECT_EQ(lines.count(row), 1U) << row;
}

/// Some of them by hand, apart from the table that the code writes itself.
TEST(EditorOptions, PresetsHaveThePublishedNumbers) {
  const EditorSettings ft = preset_settings(EditorKind::kFtM, EditorPreset::kLlama2);
  EXPECT_THAT(ft.layers(), ElementsAre(21));
  EXPECT_EQ(ft.learning_rate, 5e-4);
  EXPECT_EQ(ft.steps, 25);
  const EditorSettings rome = preset_settings(EditorKind::kRome, EditorPreset::kLlama2);
  EXPECT_THAT(rome.layers(), ElementsAre(5));
  EXPECT_EQ(rome.learning_rate, 0.5);
  EXPECT_EQ(rome.weight_decay, 1e-3);
  EXPECT_EQ(rome.clamp_norm, 4.0);
  EXPECT_EQ(rome.kl_factor, 0.0625);
  const EditorSettings memit = preset_settings(EditorKind::kMemit, EditorPreset::kLlama2);
  EXPECT_THAT(memit.layers(), ElementsAre(4, 5, 6, 7, 8));
  EXPECT_EQ(memit.cov_weight, 15000.0);
  const EditorSettings alpha = preset_settings(EditorKind::kAlphaEdit, EditorPreset::kLlama3);
  EXPECT_EQ(alpha.learning_rate, 0.1);
  EXPECT_EQ(alpha.clamp_norm, 0.75);
  EXPECT_EQ(alpha.null_threshold, 2e-2);
}

TEST(EditorOptions, TakeTheNearestPresetByTheFamily) {
  for (const auto& [family, preset] :
       {std::pair{"qwen2", EditorPreset::kQwen25}, std::pair{"qwen3", EditorPreset::kQwen25},
        std::pair{"llama", EditorPreset::kLlama2}, std::pair{"mistral", EditorPreset::kLlama2}}) {
    const int64_t layers = preset == EditorPreset::kQwen25 ? 28 : 32;
    const EditorSettings found =
        editor_settings(EditorKind::kUltraEdit, {}, model_of(family, layers));
    EXPECT_EQ(layers_in_words(found),
              layers_in_words(preset_settings(EditorKind::kUltraEdit, preset)))
        << family;
  }
}

TEST(EditorOptions, ScaleLayersToTheDepthOfTheModel) {
  const auto layers = [](EditorKind kind, int64_t depth) {
    return editor_settings(kind, {}, model_of("llama", depth)).layers();
  };
  // round(l * 30 / 32)
  EXPECT_THAT(layers(EditorKind::kMemit, 30), ElementsAre(4, 5, 6, 7, 8));
  EXPECT_THAT(layers(EditorKind::kFtM, 30), ElementsAre(20));
  EXPECT_THAT(layers(EditorKind::kMemit, 64), ElementsAre(8, 10, 12, 14, 16));
  // Neighbours fall together.
  EXPECT_THAT(layers(EditorKind::kMemit, 16), ElementsAre(2, 3, 4));
  // No layer is behind the last one.
  for (const EditorEntry& editor : kEditors) {
    for (int64_t depth = 1; depth <= 40; ++depth) {
      for (const ModuleLayers& module :
           editor_settings(editor.value, {}, model_of("llama", depth)).modules) {
        ASSERT_FALSE(module.layers.empty());
        EXPECT_GE(module.layers.front(), 0);
        EXPECT_LT(module.layers.back(), depth) << editor.name;
      }
    }
  }
}

TEST(EditorOptions, HaveOneLayerWhereTheOutputOfTheMlpIsNormed) {
  for (const char* family : {"gemma2", "gemma3_text"}) {
    const ModelConfig config = model_of(family, 32);
    EXPECT_TRUE(norms_mlp_output(config)) << family;
    for (const EditorKind kind :
         {EditorKind::kMemit, EditorKind::kMemitHistory, EditorKind::kAlphaEdit})
      EXPECT_THAT(editor_settings(kind, {}, config).layers(), ElementsAre(8)) << family;
  }
  EXPECT_FALSE(norms_mlp_output(model_of("llama", 32)));
}

TEST(EditorOptions, KeysStandAboveThePreset) {
  EditorOptions options;
  options.preset = EditorPreset::kLlama3;
  options.layers = {1, 3};
  options.modules = {"up_proj", "v_proj"};
  options.steps = 3;
  options.learning_rate = 0.25;
  options.lora_alpha = 2.0;

  const EditorSettings found = editor_settings(EditorKind::kLora, options, model_of("llama", 4));

  ASSERT_EQ(found.modules.size(), 2U);
  EXPECT_EQ(found.modules[0].module, "up_proj");
  EXPECT_EQ(found.modules[1].module, "v_proj");
  for (const ModuleLayers& module : found.modules) EXPECT_THAT(module.layers, ElementsAre(1, 3));
  EXPECT_EQ(found.steps, 3);
  EXPECT_EQ(found.learning_rate, 0.25);
  EXPECT_EQ(found.lora_alpha, 2.0);
  EXPECT_EQ(found.lora_r, 8);  // of the preset
  EXPECT_THROW((void)found.layers(), InternalError);
}

TEST(EditorOptions, ModulesAloneTakeTheLayersOfThePresetsFirstModule) {
  EditorOptions options;
  options.modules = {"up_proj"};
  const EditorSettings found =
      editor_settings(EditorKind::kUltraEdit, options, model_of("llama", 32));
  EXPECT_THAT(found.layers(), ElementsAre(11, 12, 13, 14, 15));
}

TEST(EditorOptions, SettingsInWordsNameTheNumbersThatTheMethodLooksAt) {
  const EditorSettings settings = preset_settings(EditorKind::kUltraEdit, EditorPreset::kLlama2);
  const Json json = settings_json(EditorKind::kUltraEdit, settings);
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_THAT(keys, testing::UnorderedElementsAre("learning_rate", "modules", "ridge", "whiten"));
  EXPECT_EQ(json["whiten"], false);
  EXPECT_EQ(json["ridge"], 1.0);
}

/// What newer papers add to a method is off until a recipe asks for it.
TEST(EditorOptions, AddNothingToAMethodByThemselves) {
  for (const auto& preset : kEditorPresetNames) {
    for (const EditorEntry& editor : kEditors) {
      const EditorSettings found = preset_settings(editor.value, preset.value);
      EXPECT_EQ(found.anchor_edits, 0) << editor.name;
      EXPECT_EQ(found.refresh_every, 0) << editor.name;
      EXPECT_FALSE(found.whiten) << editor.name;
    }
    EXPECT_EQ(preset_settings(EditorKind::kAlphaEdit, preset.value).cov_weight, 0.0);
  }
}

/// A number that no method looks at, or one that is in the settings and has no key, is forgotten.
TEST(EditorOptions, EveryNumberBelongsToAMethod) {
  std::vector<std::string> orphans;
  const auto look = [&](const auto& numbers) {
    for (const auto& number : numbers) {
      bool any = false;
      for (const EditorEntry& editor : kEditors) any |= number.is_of(editor.value);
      if (!any) orphans.emplace_back(number.key);
    }
  };
  look(kEditorCounts);
  look(kEditorNumbers);
  look(kEditorSwitches);
  EXPECT_THAT(orphans, IsEmpty());
}

}  // namespace
}  // namespace xkde
