#include "stages/recipe/recipe_inputs.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"
#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A folder with a model, a data folder and a training file; gone at the end.
class RecipeInputs : public ::testing::Test {
 protected:
  RecipeInputs() {
    fs::create_directories(root_ / "model");
    fs::create_directories(root_ / "data");
    std::ofstream(root_ / "model/config.json") << "{}";
    std::ofstream(root_ / "weights.gguf") << "GGUF";
    std::ofstream(root_ / "train.json") << "[]";
  }
  ~RecipeInputs() override { fs::remove_all(root_); }

  Recipe recipe(std::vector<std::string> overrides = {}) const {
    const std::string root = root_.string();
    std::vector<std::string> all{"model.model_name_or_path=" + root + "/model",
                                 "build_data.sources.0.data=" + root + "/data",
                                 "evaluate.data=" + root + "/data"};
    all.insert(all.end(), overrides.begin(), overrides.end());
    return parse_recipe(kSmallRecipe, "r.yaml", all);
  }

  fs::path root_ =
      fs::path(::testing::TempDir()) / ("xkde_recipe_inputs_" + std::to_string(::getpid()));
};

template <typename ErrorType>
std::string message_of(const Recipe& recipe, const InputChecks& checks = {}) {
  try {
    validate_inputs(recipe, checks);
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "no such error";
}

TEST_F(RecipeInputs, AreFineWhenAllIsThere) {
  EXPECT_NO_THROW(validate_inputs(recipe()));
  EXPECT_NO_THROW(
      validate_inputs(recipe({"model.model_name_or_path=" + root_.string() + "/weights.gguf",
                              "sft.train_data=" + root_.string() + "/train.json"})));
}

TEST_F(RecipeInputs, AreReportedAllAtOnceWhenMissing) {
  const Recipe missing = parse_recipe(kSmallRecipe, "r.yaml", {"sft.train_data=$HOME/none.json"});

  EXPECT_EQ(message_of<MissingInputError>(missing),
            "r.yaml: 4 errors\n"
            "r.yaml:3:23: model.model_name_or_path: expected a Hugging Face folder or a .gguf "
            "file, found nothing that can be opened at models/tiny\n"
            "r.yaml:8:17: build_data.sources.0.data: expected a file or folder of the benchmark, "
            "found nothing that can be opened at data/train\n"
            "command line: sft.train_data: expected build_data or a training file, found nothing "
            "that can be opened at $HOME/none.json (variables and ~ are not expanded)\n"
            "r.yaml:14:13: evaluate.data: expected a file or folder of the benchmark, found "
            "nothing that can be opened at data/test");
}

TEST_F(RecipeInputs, ModelIsAFolderWithAConfigurationOrAGgufFile) {
  EXPECT_THAT(message_of<MissingInputError>(
                  recipe({"model.model_name_or_path=" + (root_ / "data").string()})),
              HasSubstr("data/config.json"));
  EXPECT_THAT(message_of<ConfigError>(
                  recipe({"model.model_name_or_path=" + (root_ / "train.json").string()})),
              HasSubstr("expected a Hugging Face folder or a .gguf file, found the file "));
}

TEST_F(RecipeInputs, AreHandedToTheChecksOfTheCaller) {
  std::vector<std::string> seen;
  InputChecks checks;
  checks.model = [&](const fs::path& path) { seen.push_back("model " + path.filename().string()); };
  checks.edits = [&](const EditSelection& edits) { seen.push_back(edits.benchmark); };
  checks.evaluation = [&](const EvaluateStage& stage) { seen.push_back(stage.benchmark); };
  checks.train_data = [&](const fs::path& path) { seen.push_back(path.filename().string()); };

  validate_inputs(recipe({"sft.train_data=" + (root_ / "train.json").string()}), checks);

  EXPECT_THAT(seen, ElementsAre("model model", "mzsre", "train.json", "bmike53"));
}

TEST_F(RecipeInputs, ExcludedDataIsOpenedAndHandedToItsCheck) {
  const std::string text = with(kSmallRecipe, "  - build_data:\n",
                                "  - build_data:\n      exclude: [{benchmark: zsre, data: x}]\n");
  const std::vector<std::string> overrides{"model.model_name_or_path=" + (root_ / "model").string(),
                                           "build_data.sources.0.data=" + (root_ / "data").string(),
                                           "evaluate.data=" + (root_ / "data").string()};
  EXPECT_THAT(message_of<MissingInputError>(parse_recipe(text, "r.yaml", overrides)),
              HasSubstr("build_data.exclude.0.data: expected a file or folder of the benchmark, "
                        "found nothing that can be opened at x"));

  InputChecks checks;
  checks.excluded = [](const ExcludedData& data) { throw DataError(data.benchmark + ": row 3"); };
  const std::string there = with(text, "data: x", "data: " + (root_ / "data").string());
  EXPECT_THAT(message_of<DataError>(parse_recipe(there, "r.yaml", overrides), checks),
              HasSubstr("build_data.exclude.0.data: zsre: row 3"));
}

TEST_F(RecipeInputs, FaultsThatChecksFindKeepTheirKind) {
  InputChecks checks;
  checks.edits = [](const EditSelection& edits) { throw DataError(edits.benchmark + ": row 3"); };
  checks.evaluation = [](const EvaluateStage& edits) {
    throw DataError(edits.benchmark + ": row 3");
  };

  EXPECT_EQ(message_of<DataError>(recipe(), checks),
            "r.yaml: 2 errors\n"
            "command line: build_data.sources.0.data: mzsre: row 3\n"
            "command line: evaluate.data: bmike53: row 3");
  EXPECT_THAT(message_of<MissingInputError>(recipe({"evaluate.data=none"}), checks),
              HasSubstr("mzsre: row 3"));
}

}  // namespace
}  // namespace xkde::recipe
