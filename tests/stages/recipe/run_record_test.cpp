#include "stages/recipe/run_record.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// What is said of a run.json with this text.
std::string refusal(const std::string& text) {
  const test::TempFolder root;
  root.write("run.json", text);
  return test::message_of<DataError>([&] { read_run_record(root.path()); });
}

TEST(RunRecord, StageFoldersSortInTheOrderOfTheStages) {
  EXPECT_EQ(stage_folder_name(0, "build_data"), "01-build_data");
  EXPECT_EQ(stage_folder_name(8, "sft"), "09-sft");
  EXPECT_EQ(stage_folder_name(9, "sft"), "10-sft");
  EXPECT_EQ(stage_folder_name(99, "evaluate"), "100-evaluate");
  for (const char* name : {"01-sft", "100-evaluate"})
    EXPECT_TRUE(is_stage_folder_name(name)) << name;
  for (const char* name : {"1-sft", "sft", "-sft", "01", "01-/../x", "01_sft"})
    EXPECT_FALSE(is_stage_folder_name(name)) << name;
}

TEST(RunRecord, OfAFolderWithoutRunJsonIsNone) {
  const test::TempFolder root;

  EXPECT_FALSE(read_run_record(root.path()).has_value());
}

TEST(RunRecord, ThatCannotBeReadIsThisProgramsOwnError) {
  const test::TempFolder root;
  std::filesystem::create_directory(root.path() / "run.json");

  EXPECT_THAT(test::message_of<IoError>([&] { read_run_record(root.path()); }),
              HasSubstr("run.json: expected a regular file, found a folder"));
}

TEST(RunRecord, NamesTheStages) {
  const test::TempFolder root;
  root.write("run.json",
             R"({"run_name": "r", "exit_reason": "done", "stages": ["03-sft", "01-evaluate"]})");

  const auto record = read_run_record(root.path());

  EXPECT_EQ(record->run_name, "r");
  EXPECT_EQ(record->exit_reason, "done");
  EXPECT_THAT(record->stages, ElementsAre("03-sft", "01-evaluate"));
}

TEST(RunRecord, OfAnEarlierVersionHasTheNumbersOfTheRecipe) {
  const test::TempFolder root;
  root.write("run.json", R"({"recipe": {"stages": [{"build_data": {}}, {"sft": {}}]}})");

  EXPECT_THAT(read_run_record(root.path())->stages, ElementsAre("01-build_data", "02-sft"));
}

TEST(RunRecord, WithAValueOfAnotherTypeIsADataErrorThatNamesIt) {
  EXPECT_THAT(refusal("[]"),
              HasSubstr("run.json: expected an object, found a value of type array"));
  EXPECT_THAT(refusal(R"({"run_name": 3})"),
              HasSubstr("run.json: run_name: expected a text, found 3"));
  EXPECT_THAT(refusal(R"({"exit_reason": null})"),
              HasSubstr("run.json: exit_reason: expected a text, found null"));
  EXPECT_THAT(refusal(R"({"stages": "x"})"),
              HasSubstr("run.json: stages: expected a list, found \"x\""));
  EXPECT_THAT(refusal(R"({"stages": ["01-/../../x"]})"),
              HasSubstr("run.json: stages: expected names such as 01-sft, found \"01-/../../x\""));
  EXPECT_THAT(refusal(R"({"recipe": {"stages": [1]}})"),
              HasSubstr("run.json: recipe.stages: expected a stage with its keys, found 1"));
}

}  // namespace
}  // namespace xkde::recipe
