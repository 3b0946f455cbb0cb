#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "stages/export/keys.h"
#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

/// The default of each key of one section of docs/recipes.md.
using Rows = std::map<std::string, std::string>;

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" `");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" `") + 1 - begin);
}

std::map<std::string, Rows> documented_keys() {
  std::ifstream file(XKDE_SOURCE_DIR "/docs/recipes.md");
  std::map<std::string, Rows> sections;
  std::string line, section;
  while (std::getline(file, line)) {
    if (line.starts_with("## ")) section = trimmed(line.substr(3));
    if (!line.starts_with("| `")) continue;
    std::istringstream cells(line.substr(1));
    std::string key, values, value;
    std::getline(cells, key, '|');
    std::getline(cells, values, '|');
    std::getline(cells, value, '|');
    sections[section][trimmed(key)] = trimmed(value);
  }
  sections.erase("Overrides");
  return sections;
}

/// What build_data has only when it is asked for.
void add_optional_sections(std::map<std::string, Json>& sections) {
  const std::string text = with(kSmallRecipe, "  - build_data:\n",
                                "  - build_data:\n      quadrants: {}\n"
                                "      exclude: [{benchmark: mzsre, data: data/other}]\n");
  const Json build =
      resolved(parse_recipe(text, "r.yaml", kStageParsers))["stages"][0]["build_data"];
  for (const char* key : {"quadrants", "exclude"}) sections["build_data"][key] = build[key];
  sections["build_data.quadrants"] = build["quadrants"];
  sections["build_data.exclude"] = build["exclude"][0];
}

/// What evaluate has only beside other keys.
void add_evaluation(std::map<std::string, Json>& sections) {
  const std::string text =
      with(kSmallRecipe, "  - evaluate:\n",
           "  - evaluate:\n      mode: sequential\n      method: ike\n      extra_metrics: [f1]\n"
           "      probes: [persona]\n      by_age: true\n      seeds: [1]\n      sample: 2\n"
           "      retriever: {model_name_or_path: e, threshold: 0.5}\n"
           "      demonstrations: {benchmark: mzsre, data: d}\n      chat_template: model\n"
           "      free_answers: {}\n      judge: {model_name_or_path: j}\n");
  const Json evaluate =
      resolved(parse_recipe(text, "r.yaml", kStageParsers))["stages"][2]["evaluate"];
  const Json plain = sections["evaluate"];
  sections["evaluate"] = evaluate;
  sections["evaluate.retriever"] = evaluate["retriever"];
  sections["evaluate.demonstrations"] = evaluate["demonstrations"];
  sections["evaluate.free_answers"] = evaluate["free_answers"];
  sections["evaluate.judge"] = evaluate["judge"];
  for (const auto& [key, value] : plain.items()) sections["evaluate"][key] = value;
  sections["evaluate"]["averaging"] = name_of(kAveragingNames, EvaluateStage().averaging);
  sections["evaluate"]["by_age"] = EvaluateStage().by_age;
  sections["export"]["memory"] = "";
  sections["evaluate.retriever"]["query_prefix"] = "";
  sections["evaluate.retriever"]["document_prefix"] = "";
  for (const char* key : {"chat_date", "cache", "labelled"}) sections["evaluate.judge"][key] = "";
  sections["rank"]["prefix"] = "";
  sections["build_data"]["prompt_language"] =
      name_of(kPromptLanguageNames, BuildDataStage().prompt_language);
  sections["export"]["adapter"] = "";
  sections["export"]["merge_into"] = "";
  sections["export"]["format"] = name_of(kExportFormats, ExportStage().format);
  sections["export"]["gguf_type"] = name_of(kGgufTypes, ExportStage().gguf_type);
  sections["model"]["chat_date"] = "";
}

/// A recipe with an evaluation whose `editor` has all keys of its method.
std::string with_editor(const EditorEntry& method) {
  std::string keys = "layers: [0], modules: [down_proj]";
  const auto add = [&](const auto& numbers, const char* value) {
    for (const auto& number : numbers) {
      if (number.is_of(method.value)) keys += concat(", ", number.key, ": ", value);
    }
  };
  add(kEditorCounts, "1");
  add(kEditorNumbers, "1");
  add(kEditorSwitches, "true");
  if (method.value == EditorKind::kWise) keys += ", unrelated: [u]";
  if (method.uses_contexts) keys += ", context_templates: [\"{}\"]";
  if (method.needs_moments) keys += ", covariance: c";
  return "model: {model_name_or_path: m}\nstages:\n  - evaluate: {benchmark: mzsre, data: d, "
         "edit_languages: [en], test_languages: [en], method: " +
         std::string(method.name) + ", editor: {" + keys + "}}\n";
}

/// All keys of editors, whichever method looks at them.
void add_editors(std::map<std::string, Json>& sections) {
  sections["evaluate"]["editor"] = "";
  sections["edit"]["revert"] = EditStage().revert;
  for (const EditorEntry& method : kEditors) {
    const Json keys = resolved(parse_recipe(with_editor(method), "r.yaml",
                                            kStageParsers))["stages"][0]["evaluate"]["editor"];
    sections["edit.editor"].update(keys);
  }
}

/// A method that looks at a key of `editor:`.
std::string method_with(const std::string& key) {
  for (const EditorEntry& method : kEditors) {
    if (with_editor(method).find(" " + key + ":") != std::string::npos)
      return std::string(method.name);
  }
  return "memit";
}

/// What a covariance stage has in place of texts.
void add_imports(std::map<std::string, Json>& sections) {
  const std::string text =
      "model: {model_name_or_path: m}\nstages:\n"
      "  - covariance: {import: [{data: a.npz, layer: 1}]}\n";
  const Json stage = resolved(parse_recipe(text, "r.yaml", kStageParsers))["stages"][0];
  sections["covariance"]["import"] = stage["covariance"]["import"];
  sections["covariance.import"] = stage["covariance"]["import"][0];
}

/// What training has only with an adapter.
void add_adapters(std::map<std::string, Json>& sections) {
  const std::string text = with(kSmallRecipe, "  - sft: {}", "  - sft: {lora: {}}");
  const Json sft = resolved(parse_recipe(text, "r.yaml", kStageParsers))["stages"][1]["sft"];
  sections["sft"]["lora"] = sft["lora"];
  sections["orpo"]["lora"] = sft["lora"];
  sections["sft.lora"] = sft["lora"];
  sections["model"]["adapter"] = "";
}

/// Keys and resolved values of the parts of a recipe, by the headings of the document.
std::map<std::string, Json> sections_of(const Recipe& recipe) {
  const Json all = resolved(recipe);
  std::map<std::string, Json> sections{
      {"Top level", all}, {"model", all["model"]}, {"parallel", all["parallel"]}};
  for (const Json& stage : all["stages"]) {
    for (const auto& [name, keys] : stage.items()) sections[name] = keys;
  }
  sections["build_data.sources"] = sections["build_data"]["sources"][0];
  sections["capability.perplexity"] = sections["capability"]["perplexity"][0];
  sections["capability.choices"] = sections["capability"]["choices"][0];
  sections["covariance.texts"] = sections["covariance"]["texts"][0];
  add_optional_sections(sections);
  add_evaluation(sections);
  add_adapters(sections);
  add_editors(sections);
  add_imports(sections);
  return sections;
}

/// kSmallRecipe and, with the keys that are only there with others, the remaining stages.
Recipe recipe_of_all_stages() {
  const std::string rest =
      "  - sample: {stop: [\".\"]}\n"
      "  - rank: {reward: nllb, model_name_or_path: models/nllb}\n"
      "  - orpo: {}\n"
      "  - capability: {perplexity: [{data: t.txt}], choices: [{data: q.jsonl}]}\n"
      "  - covariance: {texts: [{data: t.txt}], layers: [0]}\n"
      "  - edit: {benchmark: mzsre, data: d, edit_languages: [en], method: rome}\n"
      "  - quantize: {type: Q8_0}\n";
  return parse_recipe(concat("report_to: [tensorboard]\n", kSmallRecipe, rest), "r.yaml",
                      kStageParsers);
}

TEST(RecipeDocs, NameEveryKeyOfEverySectionAndNoOther) {
  const auto documented = documented_keys();
  const auto sections = sections_of(recipe_of_all_stages());

  ASSERT_EQ(documented.size(), sections.size());
  for (const auto& [name, keys] : sections) {
    ASSERT_EQ(documented.count(name), 1U) << name;
    const Rows& rows = documented.at(name);
    EXPECT_EQ(rows.size(), keys.size()) << name;
    for (const auto& [key, value] : keys.items()) EXPECT_EQ(rows.count(key), 1U) << name << key;
  }
}

/// `key` mistyped in one letter.
std::vector<std::string> typos_of(const std::string& key) {
  std::vector<std::string> typos{key.substr(0, 1) + key};
  if (key.size() > 3) typos.push_back(std::string(key).erase(1, 1));
  return typos;
}

TEST(RecipeDocs, EveryKeyIsSuggestedForATypoOfIt) {
  constexpr const char* kEverySection =
      "model: {}\nparallel: {}\nstages:\n"
      "  - build_data: {sources: [{}], exclude: [{}], quadrants: {}}\n"
      "  - sft: {lora: {}}\n  - sample: {}\n  - rank: {}\n  - orpo: {lora: {}}\n"
      "  - evaluate: {retriever: {}, demonstrations: {}}\n"
      "  - capability: {perplexity: [{}], choices: [{}]}\n  - edit: {editor: {}}\n"
      "  - covariance: {texts: [{}], import: [{}]}\n"
      "  - quantize: {}\n"
      "  - export: {}\n";
  const std::map<std::string, std::string> items{
      {"build_data.sources", "build_data.sources.0"},
      {"build_data.exclude", "build_data.exclude.0"},
      {"capability.perplexity", "capability.perplexity.0"},
      {"capability.choices", "capability.choices.0"},
      {"covariance.texts", "covariance.texts.0"},
      {"covariance.import", "covariance.import.0"}};

  for (const auto& [name, rows] : documented_keys()) {
    const auto item = items.find(name);
    const std::string section = item == items.end() ? name : item->second;
    for (const auto& [key, value] : rows) {
      for (const std::string& typo : typos_of(key)) {
        const bool is_top = section == "Top level";
        const std::string path = is_top ? typo : section + "." + typo;
        const std::string text = (is_top ? typo + ": 1\n" : "") + std::string(kEverySection);
        std::vector<std::string> overrides(is_top ? 0 : 1, path + "=1");
        if (name == "edit.editor") overrides.push_back("edit.method=" + method_with(key));
        if (name + "." + key == "evaluate.editor") overrides.emplace_back("evaluate.method=rome");
        EXPECT_THAT(error_of(text, overrides),
                    testing::HasSubstr(path + ": unknown key; did you mean '" + key + "'?"));
      }
    }
  }
}

TEST(RecipeDocs, GiveTheDefaultOfEveryKey) {
  const auto sections = sections_of(recipe_of_all_stages());
  // Defaults that depend on the recipe itself.
  const Rows in_words{{"run_name", "the recipe's file name without `.yaml"},
                      {"output_dir", "runs/<run_name>"},
                      {"parallel", "all defaults"},
                      {"editor", "all defaults"},
                      {"context_templates", "none"},
                      {"covariance", "none"},
                      {"name", "the file's name without its suffix"},
                      {"perplexity", "none"},
                      {"choices", "none"},
                      {"texts", "none"},
                      {"import", "none"},
                      {"report_to", "none"},
                      {"stop", "none"},
                      {"model_name_or_path", "none"},
                      {"reward", "\"chrf\""},
                      {"quadrants", "none"},
                      {"exclude", "none"},
                      {"retriever", "none"},
                      {"demonstrations", "none"},
                      {"free_answers", "none"},
                      {"judge", "none"},
                      {"cache", "none"},
                      {"labelled", "none"},
                      {"extra_metrics", "none"},
                      {"probes", "none"},
                      {"seeds", "none"},
                      {"sample", "none"},
                      {"threshold", "none"},
                      {"lora", "none"},
                      {"adapter", "none"},
                      {"merge_into", "none"},
                      {"chat_date", "none"},
                      {"prefix", "none"},
                      {"query_prefix", "none"},
                      {"unrelated", "none"},
                      {"document_prefix", "none"}};

  for (const auto& [name, rows] : documented_keys()) {
    for (const auto& [key, value] : rows) {
      if (value == "required") continue;
      const auto words = in_words.find(key);
      if (name + "." + key == "export.memory") {
        EXPECT_EQ(value, "none");
        continue;
      }
      if (value == "of the preset") {
        // A recipe that does not say them leaves them open.
        EXPECT_EQ(name, "edit.editor");
        EXPECT_FALSE(sections.at("edit")["editor"].contains(key)) << key;
        continue;
      }
      EXPECT_EQ(value, words != in_words.end() ? words->second : sections.at(name)[key].dump())
          << name << "." << key;
    }
  }
}

TEST(RecipeDocs, SayWhichKeysAreRequired) {
  // kSmallRecipe has the required keys, run_name and no other.
  std::string required;
  for (const auto& [name, rows] : documented_keys()) {
    for (const auto& [key, value] : rows) {
      if (value == "required") required += name + "." + key + " ";
    }
  }

  EXPECT_EQ(required,
            "Top level.model Top level.stages build_data.sources build_data.exclude.benchmark "
            "build_data.exclude.data build_data.sources.benchmark "
            "build_data.sources.data build_data.sources.edit_languages "
            "build_data.sources.test_languages capability.choices.data capability.perplexity.data "
            "covariance.layers covariance.import.data covariance.import.layer "
            "covariance.texts.data "
            "edit.benchmark edit.data edit.edit_languages edit.method "
            "evaluate.benchmark evaluate.data "
            "evaluate.edit_languages evaluate.test_languages evaluate.demonstrations.benchmark "
            "evaluate.demonstrations.data evaluate.judge.model_name_or_path "
            "evaluate.retriever.model_name_or_path export.path "
            "model.model_name_or_path quantize.type ");
}

TEST(RecipeDocs, ExampleIsValid) {
  std::ifstream file(XKDE_SOURCE_DIR "/docs/recipes.md");
  std::string line, example;
  while (std::getline(file, line)) {
    if (line.starts_with("    ")) example += line.substr(4) + "\n";
  }

  EXPECT_EQ(error_of(example), "");
}

}  // namespace
}  // namespace xkde::recipe
