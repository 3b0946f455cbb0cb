#include "stages/catalog/yaml_writer.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"

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

}  // namespace
}  // namespace xkde::catalog
