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

Recipe read_text(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_recipe(text, "r.yaml", kStageParsers, overrides);
}

TEST(References, TakeTheValueOfAnotherKey) {
  const Recipe recipe =
      read_text(with(with(kSmallRecipe, "models/tiny",
                          "models/tiny\nseed: 7\noutput_dir: out/${run_name}-${seed}"),
                     "- sft: {}", "- sft: {max_steps: \"${seed}\", learning_rate: 1e-4}"));

  EXPECT_EQ(recipe.output_dir, "out/small-7");
  EXPECT_EQ(as<SftStage>(*recipe.stages.at(1)).max_steps, 7);
}

TEST(References, TakeListsWhole) {
  const Recipe recipe =
      read_text(with(kSmallRecipe, "[de]", "${build_data.sources.0.test_languages}"));

  EXPECT_EQ(as<EvaluateStage>(*recipe.stages.at(2)).edit_languages.size(), 1U);
  EXPECT_EQ(as<EvaluateStage>(*recipe.stages.at(2)).test_languages.size(), 2U);
}

TEST(References, SeeWhatTheCommandLineSets) {
  const Recipe recipe = read_text(kSmallRecipe, {"output_dir=runs/${run_name}", "run_name=x"});

  EXPECT_EQ(recipe.output_dir, "runs/x");
}

TEST(References, MayLeadToOneAnother) {
  const Variable home("HOME", "/home/one");
  const Recipe recipe = read_text(
      kSmallRecipe,
      {"run_name=${seed}", "seed=3", "output_dir=${export.path}", "export.path=~/${run_name}"});

  EXPECT_EQ(recipe.output_dir, "/home/one/3");
  EXPECT_EQ(recipe.run_name, "3");
}

TEST(References, AreToldApartFromVariablesAndKeptTexts) {
  const Variable data("XKDE_TEST_DATA", "/mnt/data");
  const Recipe recipe =
      read_text(kSmallRecipe, {"output_dir=${XKDE_TEST_DATA}/${run_name}/$${run_name}"});

  EXPECT_EQ(recipe.output_dir, "/mnt/data/small/${run_name}");
}

TEST(References, TellKeyAndPlaceOfWhatLeadsNowhere) {
  const auto error = [](const std::string& path) {
    return error_of(with(kSmallRecipe, "out/model", path));
  };

  EXPECT_EQ(error("o/${sft.learning_rat}"),
            "r.yaml:18:13: export.path: ${sft.learning_rat}: expected a key that the recipe "
            "writes, found none "
            "called 'learning_rat'");
  EXPECT_THAT(error("o/${orpo.beta}"),
              HasSubstr("expected a stage of this recipe, found none named 'orpo'"));
  EXPECT_THAT(error("o/${expotr.path}"), HasSubstr("did you mean 'export'?"));
  EXPECT_THAT(error("o/${stages.9.sft}"), HasSubstr("expected a stage below 4, found 9"));
  EXPECT_THAT(error("o/${model}"),
              HasSubstr("expected ${model} to lead to a value or a list, found a mapping"));
  EXPECT_THAT(
      error("o/${evaluate.test_languages}"),
      HasSubstr("expected one value within a text, found ${evaluate.test_languages}, a list of 1"));
  EXPECT_THAT(error("[\"${evaluate.test_languages}\"]"), HasSubstr("expected one value, found"));
}

TEST(References, EndWhereTheyGoInACircle) {
  for (const char* path : {"${export.path}", "a${export.path}", "${output_dir}"}) {
    EXPECT_THAT(error_of(with(kSmallRecipe, "out/model", path), {"output_dir=b/${export.path}"}),
                HasSubstr("back to itself, found one"))
        << path;
  }
  EXPECT_THAT(error_of(with(kSmallRecipe, "[de]", "[\"${evaluate.test_languages}\"]")),
              HasSubstr("back to itself, found one"));
}

TEST(References, EndWhereTextsOrChainsGrow) {
  std::vector<std::string> doubled{"run_name=0123456789abcdef"};
  std::string before = "run_name";
  for (const char* key :
       {"output_dir", "model.model_name_or_path", "export.path", "build_data.sources.0.data",
        "evaluate.data", "sft.train_data", "model.adapter", "sft.a", "sft.b", "sft.c"}) {
    doubled.push_back(concat(key, "=${", before, "}${", before, "}"));
    before = key;
  }
  EXPECT_THAT(error_of(kSmallRecipe, doubled),
              HasSubstr("expected a text of at most 4096 bytes, found more"));

  std::vector<std::string> chain;
  for (int i = 0; i < 40; ++i) chain.push_back(concat("sft.k", i, "=${sft.k", i + 1, "}"));
  chain.push_back("sft.k40=1");
  EXPECT_THAT(error_of(kSmallRecipe, chain),
              HasSubstr("expected at most 32 references one behind the other"));
}

TEST(Expansion, TextsThatAreNoPathsStay) {
  const Recipe recipe = parse_recipe(kSmallRecipe, "r.yaml", kStageParsers, {"run_name=${HOME}~"});

  EXPECT_EQ(recipe.run_name, "${HOME}~");
}

}  // namespace
}  // namespace xkde::recipe
