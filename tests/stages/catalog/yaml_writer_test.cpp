#include "stages/catalog/yaml_writer.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "stages/catalog/catalog.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"
#include "stages/recipe/yaml_reader.h"

namespace xkde::catalog {
namespace {

TEST(YamlWriter, WritesMappingsInLinesAndListsOfValuesInOne) {
  const Json object = Json::parse(R"({"run_name": "small", "seed": 42, "on": true, "empty": {},
    "model": {"path": "a/b.gguf", "dates": ["2026-11-28", "x y"]},
    "stages": [{"sft": {"rate": 1e-05, "text": ""}}, {"export": {}}]})");

  EXPECT_EQ(to_yaml(object),
            "run_name: small\nseed: 42\non: true\nempty: {}\n"
            "model:\n  path: a/b.gguf\n  dates: [\"2026-11-28\", \"x y\"]\n"
            "stages:\n  - sft:\n      rate: 1e-05\n      text: \"\"\n  - export: {}\n");
}

TEST(YamlWriter, PutsTextsThatReadAsOthersIntoQuotes) {
  for (const char* text :
       {"true", "No",  "null", "~",  "12", "1e5", "-",   "a: b", "#", "a #b", "\n",
        "[a]",  "{a}", "'",    "*a", "&a", "nan", "a,b", "@x",   "y", "a:"}) {
    const std::string line = to_yaml(Json{{"k", text}});
    EXPECT_EQ(line, "k: " + Json(text).dump() + "\n");
  }
}

TEST(YamlWriter, IsReadBackAsTheSameRecipe) {
  const std::string text =
      "run_name: \"no\"\nmodel: {model_name_or_path: \"a b: c\", chat_date: 2026-11-28}\n"
      "stages:\n  - build_data:\n      sources:\n"
      "        - {benchmark: mzsre, data: d, edit_languages: [en], test_languages: [nl, ja],\n"
      "           records: \"-5:\"}\n"
      "        - {benchmark: zsre, data: d}\n"
      "      quadrants: {distractors: [0.5, 0.5]}\n"
      "  - sft: {lora: {}, learning_rate: 1e-5}\n"
      "  - sample: {stop: [\"\\n\", \"#\", \"é: \"]}\n"
      "  - capability: {choices: [{data: q, target_delimiter: \"\"}]}\n";
  const Json first = recipe::resolved(recipe::parse_recipe(text, "r.yaml", recipe::kStageParsers));

  const Json second =
      recipe::resolved(recipe::parse_recipe(to_yaml(first), "other.yaml", recipe::kStageParsers));

  EXPECT_EQ(first, second);
}

std::string rewritten(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return to_yaml(*recipe::recipe_tree(text, "r.yaml", recipe::kStageParsers, overrides));
}

TEST(YamlWriter, WritesATreeAsItWasWritten) {
  const std::string text =
      "run_name: \"12\"\nseed: 007\nmodel:\n  model_name_or_path: ../m\n  adapter: null\n"
      "stages:\n  - sft:\n      learning_rate: 1.0e+04\n      texts: [a, 1e5, true, -1, \"-\"]\n"
      "      empty: {}\n      lists: [[1, 2], []]\n      mixed:\n        - plain\n"
      "        - key: 1\n          other: 2\n        - {}\n";
  EXPECT_EQ(rewritten(text), text);
}

TEST(YamlWriter, PutsTextsOfATreeIntoQuotesWhereALineNeedsThem) {
  EXPECT_EQ(
      rewritten("a: &x 0:20\nb: it's, so\nc: 'it''s'\nd: *x\ne: ---x\nj: \"m/x\"\nk: \"no\"\nf:\n  "
                "- two words\n"
                "g: über\n\"h i\": ${HOME}/x\n"),
      "a: \"0:20\"\nb: \"it's, so\"\nc: \"it's\"\nd: \"0:20\"\ne: \"---x\"\nj: m/x\nk: \"no\"\n"
      "f: [\"two words\"]\ng: \"über\"\n\"h i\": \"${HOME}/x\"\n");
}

TEST(YamlWriter, HasTheOverridesOfATree) {
  EXPECT_EQ(rewritten("stages:\n  - sft: {learning_rate: 1, lora: {}}\n",
                      {"sft.learning_rate=2e-4", "sft.lora~", "seed=3"}),
            "stages:\n  - sft:\n      learning_rate: 2e-4\nseed: 3\n");
}

TEST(YamlWriter, EachRecipeThatComesAlongIsReadBackAsItself) {
  for (const Entry& entry : entries(recipes_folder(), recipe::kStageParsers)) {
    const std::string text = recipe::read_recipe_text(entry.file);
    const auto read = [&entry](const std::string& one) {
      return recipe::resolved(recipe::parse_recipe(one, entry.file, recipe::kStageParsers));
    };
    EXPECT_EQ(read(rewritten(text)), read(text)) << entry.name;
  }
}

}  // namespace
}  // namespace xkde::catalog
