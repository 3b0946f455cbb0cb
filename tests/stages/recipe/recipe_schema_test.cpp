#include "stages/recipe/recipe_schema.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kPage =
    "# Page\n\n## `sft`\n\nTuning of [all](a.md) weights\nor fewer.\n\nMore.\n\n"
    "| key | values |\n| --- | --- |\n"
    "| `max_steps` | integer, see [planner](planner.md) \\| this | 1 |\n\n"
    "## `orpo`\n\n| key | values |\n| --- | --- |\n| `max_steps` | as in `sft` | 1 |\n"
    "| `lora` | as in `orpo` | 1 |\n\nBelow.\n\n## `sft.lora`\n\n| `r` | the rank | 1 |\n";

TEST(KeyNotes, AreTheTableOfAPage) {
  const KeyNotes notes(kPage);

  EXPECT_EQ(notes.about("sft"), "Tuning of all weights or fewer.");
  EXPECT_EQ(notes.about("sft", "max_steps"), "integer, see planner | this");
  EXPECT_EQ(notes.about("sft", "min_steps"), "");
  EXPECT_EQ(notes.about("rank", "max_steps"), "");
  EXPECT_EQ(notes.about("orpo"), "") << "what stands below a table is about something else";
}

TEST(KeyNotes, FollowWhatStandsInAnotherSection) {
  const KeyNotes notes(kPage);

  EXPECT_EQ(notes.about("orpo", "max_steps"), "integer, see planner | this");
  EXPECT_EQ(notes.about("orpo", "lora"), "") << "a circle ends";
  EXPECT_EQ(notes.section_of("orpo.lora"), "sft.lora");
  EXPECT_EQ(notes.section_of("orpo.other"), "orpo.other");
}

Json stage_of(const char* name) {
  return Recipe::schema(kStageParsers)["properties"]["stages"]["items"]["properties"][name];
}

TEST(RecipeSchema, HasWhatTheReaderAsksOfAValue) {
  const Json sft = stage_of("sft")["properties"];

  EXPECT_EQ(sft["adam_beta1"], Json::parse(R"({"type": "number", "minimum": 0.0,
    "exclusiveMaximum": 1.0, "default": 0.9})"));
  EXPECT_EQ(sft["per_device_train_batch_size"], Json::parse(R"({"type": "integer", "minimum": 1,
    "maximum": 1000000, "default": 1})"));
  EXPECT_EQ(sft["packing"], Json::parse(R"({"type": "boolean", "default": true})"));
  EXPECT_EQ(sft["last_batch"], Json::parse(R"({"enum": ["short", "wrap"], "default": "short"})"));
  EXPECT_EQ(sft["lora"]["properties"]["target_modules"]["default"], Json::array({"all-linear"}));
}

TEST(RecipeSchema, HasTheDefaultsOfEachStage) {
  EXPECT_EQ(stage_of("orpo")["properties"]["learning_rate"]["default"], 1e-6);
  EXPECT_EQ(stage_of("sft")["properties"]["learning_rate"]["default"], 1e-5);
  EXPECT_FALSE(stage_of("evaluate")["properties"]["sample"].contains("default"))
      << "0 may not be written";
  EXPECT_FALSE(
      stage_of("evaluate")["properties"]["judge"]["properties"]["cache"].contains("default"));
}

TEST(RecipeSchema, RequiresSectionsThatRequireKeys) {
  const Json schema = Recipe::schema(kStageParsers);

  EXPECT_THAT(schema["required"], ElementsAre("model", "stages"));
  EXPECT_EQ(schema["properties"]["model"]["type"], "object");
  EXPECT_EQ(schema["properties"]["parallel"]["type"], Json({"object", "null"}));
}

TEST(RecipeSchema, AKeyMayStandInForOthers) {
  EXPECT_EQ(stage_of("export")["allOf"][0],
            Json::parse(R"({"anyOf": [{"required": ["adapter"]}, {"required": ["path"]}]})"));
  EXPECT_FALSE(stage_of("edit").contains("required"));
}

/// Adds every mapping of keys below `schema` that lets others in.
void add_open_mappings(const Json& schema, const std::string& path, std::string& found) {
  if (!schema.is_structured()) return;
  if (schema.contains("properties") && !path.ends_with("if") && !path.ends_with("then") &&
      schema.value("additionalProperties", true))
    found += path + "\n";
  for (const auto& [key, value] : schema.items()) add_open_mappings(value, path + "/" + key, found);
}

TEST(RecipeSchema, NoMappingTakesUnknownKeys) {
  std::string open;
  add_open_mappings(Recipe::schema(kStageParsers), "", open);

  EXPECT_EQ(open, "");
}

TEST(RecipeSchema, DescribesKeysAsTheirPageDoes) {
  const Json schema = recipe_schema(kStageParsers, KeyNotes(recipe_page()));

  EXPECT_THAT(std::string(schema["properties"]["seed"]["description"]),
              HasSubstr("integer, at least 0"));
  const Json& stages = schema["properties"]["stages"]["items"]["properties"];
  EXPECT_EQ(stages["orpo"]["properties"]["learning_rate"]["description"],
            stages["sft"]["properties"]["learning_rate"]["description"]);
  EXPECT_EQ(stages["orpo"]["properties"]["lora"]["properties"]["r"]["description"],
            stages["sft"]["properties"]["lora"]["properties"]["r"]["description"]);
  EXPECT_THAT(
      std::string(stages["evaluate"]["properties"]["free_answers"]["description"]),
      ::testing::MatchesRegex("section: what the model says .*\n\nToken accuracy shows .*"));
  EXPECT_THAT(std::string(stages["quantize"]["description"]), HasSubstr("Rounds the weights"));
}

}  // namespace
}  // namespace xkde::recipe
