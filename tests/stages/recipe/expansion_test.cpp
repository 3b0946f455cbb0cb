#include "stages/recipe/expansion.h"

#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

using ::testing::HasSubstr;

/// A variable of the environment while it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* const before = std::getenv(name);
    before_ = before == nullptr ? "" : before;
    was_set_ = before != nullptr;
    if (value == nullptr) {
      ::unsetenv(name);
    } else {
      ::setenv(name, value, 1);
    }
  }
  ~Variable() {
    if (was_set_) {
      ::setenv(name_, before_.c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
  bool was_set_ = false;
};

TEST(Expansion, PutsVariablesAndTheHomeFolderIntoPaths) {
  const Variable models("XKDE_TEST_MODELS", "/mnt/models"), empty("XKDE_TEST_EMPTY", "");
  const Variable home("HOME", "/home/one");

  EXPECT_EQ(expand_path("${XKDE_TEST_MODELS}/m").text, "/mnt/models/m");
  EXPECT_EQ(expand_path("a/${XKDE_TEST_EMPTY}b${XKDE_TEST_MODELS}").text, "a/b/mnt/models");
  EXPECT_EQ(expand_path("~/m").text, "/home/one/m");
  EXPECT_EQ(expand_path("~").text, "/home/one");
}

TEST(Expansion, LeavesEverythingElse) {
  for (const char* text : {"a~", "a/~", "~other/m", "$HOME/m", "$", "$$", "a$b", "{x}", "}"}) {
    EXPECT_EQ(expand_path(text).text, text);
    EXPECT_EQ(expand_path(text).mistake, "");
  }
  EXPECT_EQ(expand_path("$${HOME}/m").text, "${HOME}/m");
}

TEST(Expansion, NothingInAValueIsExpanded) {
  const Variable own("XKDE_TEST_CIRCLE", "${XKDE_TEST_CIRCLE}/~");

  EXPECT_EQ(expand_path("${XKDE_TEST_CIRCLE}").text, "${XKDE_TEST_CIRCLE}/~");
}

TEST(Expansion, AnExpandedPathIsWrittenSoThatItIsReadAgain) {
  const Variable home("HOME", "/home/one");
  for (const char* path : {"a/b", "${X}", "$${X}", "a$b${", "~x"})
    EXPECT_EQ(expand_path(unexpanded_path(path)).text, path);
  EXPECT_EQ(expand_path(unexpanded_path("~/m")).text, "./~/m");
}

TEST(Expansion, RefusesWhatNamesNoVariable) {
  const Variable absent("XKDE_TEST_ABSENT", nullptr), home("HOME", nullptr);

  EXPECT_EQ(expand_path("${XKDE_TEST_ABSENT}").mistake,
            "expected an environment variable XKDE_TEST_ABSENT, found none of that name");
  EXPECT_THAT(expand_path("~/x").mistake, HasSubstr("expected an environment variable HOME"));
  for (const char* text : {"${", "${}", "${A", "${1A}", "${A-B}", "${A${B}}"})
    EXPECT_THAT(expand_path(text).mistake, HasSubstr("expected ${NAME}")) << text;
}

TEST(Expansion, HoldsForEveryPathOfARecipe) {
  const Variable data("XKDE_TEST_DATA", "/mnt/data");
  const std::string text = with(with(kSmallRecipe, "models/tiny", "${XKDE_TEST_DATA}/m"),
                                "- sft: {}", "- sft: {train_data: \"${XKDE_TEST_DATA}/t.json\"}");

  const Recipe recipe =
      parse_recipe(text, "r.yaml", kStageParsers, {"export.path=${XKDE_TEST_DATA}/out"});

  EXPECT_EQ(recipe.model.model_name_or_path, "/mnt/data/m");
  EXPECT_EQ(as<SftStage>(*recipe.stages.at(1)).train_data, "/mnt/data/t.json");
  EXPECT_EQ(as<ExportStage>(*recipe.stages.at(3)).path, "/mnt/data/out");
}

TEST(Expansion, TellsKeyPlaceAndName) {
  const Variable absent("XKDE_TEST_ABSENT", nullptr), empty("XKDE_TEST_EMPTY", "");
  const auto with_model = [](const std::string& path) {
    return error_of(with(kSmallRecipe, "models/tiny", path));
  };

  EXPECT_EQ(with_model("${XKDE_TEST_ABSENT}/m"),
            "r.yaml:3:23: model.model_name_or_path: expected an environment variable "
            "XKDE_TEST_ABSENT, found none of that name");
  EXPECT_EQ(with_model("${XKDE_TEST_EMPTY}"),
            "r.yaml:3:23: model.model_name_or_path: expected a path, not only variables that are "
            "empty, found ${XKDE_TEST_EMPTY}");
}

TEST(Expansion, TextsThatAreNoPathsStay) {
  const Recipe recipe = parse_recipe(kSmallRecipe, "r.yaml", kStageParsers, {"run_name=${HOME}~"});

  EXPECT_EQ(recipe.run_name, "${HOME}~");
}

}  // namespace
}  // namespace xkde::recipe
