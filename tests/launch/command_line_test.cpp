#include "launch/command_line.h"

#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Command parse(std::vector<const char*> words) {
  words.insert(words.begin(), "xkde_dist");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

std::string usage_error(const std::vector<const char*>& words) {
  try {
    parse(words);
  } catch (const UsageError& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(CommandLine, AskTakesAQuestionAmongItsOverrides) {
  const auto ask =
      std::get<AskCommand>(parse({"ask", "a.yaml", "--lang", "fr", "x.y=1", "Que vaut a = b ?",
                                  "-k", "2", "--memory", "m.h5", "--encoder", "e"}));

  EXPECT_EQ(ask.recipe, "a.yaml");
  EXPECT_EQ(ask.question, "Que vaut a = b ?");
  EXPECT_THAT(ask.overrides, ElementsAre("x.y=1"));
  EXPECT_EQ(ask.language, "fr");
  EXPECT_EQ(ask.k, 2);
  EXPECT_EQ(ask.memory, "m.h5");
  EXPECT_EQ(ask.encoder, "e");
  EXPECT_EQ(std::get<AskCommand>(parse({"ask", "a.yaml"})).question, "");
}

TEST(CommandLine, ReportTakesRunsAndAFile) {
  const auto report = std::get<ReportCommand>(parse({"report", "a", "b", "--out", "x.html"}));
  EXPECT_THAT(report.runs, ElementsAre("a", "b"));
  EXPECT_EQ(report.out, "x.html");
  EXPECT_THAT(usage_error({"report"}), HasSubstr("expected the folder of a run, found none"));
  EXPECT_THAT(usage_error({"report", "a", "--out", "x"}), HasSubstr("expected several runs"));
}

TEST(CommandLine, AskTakesOneQuestion) {
  EXPECT_THAT(usage_error({"ask"}), HasSubstr("ask: expected a recipe, found none"));
  EXPECT_THAT(usage_error({"ask", "a.yaml", "one?", "two?"}),
              HasSubstr("ask: expected key.path=value after the recipe, found 'two?'"));
  EXPECT_THAT(usage_error({"ask", "a.yaml", ""}), HasSubstr("expected a question"));
}

TEST(CommandLine, RunsARecipeWithItsOverridesInOrder) {
  const auto run =
      std::get<RunCommand>(parse({"a.yaml", "sft.max_steps=-1", "x=[a,b]", "x=a b", "y="}));

  EXPECT_EQ(run.recipe, "a.yaml");
  EXPECT_THAT(run.overrides, ElementsAre("sft.max_steps=-1", "x=[a,b]", "x=a b", "y="));
}

TEST(CommandLine, RunsARecipeAlone) {
  const auto run = std::get<RunCommand>(parse({"dir/my recipe"}));

  EXPECT_EQ(run.recipe, "dir/my recipe");
  EXPECT_THAT(run.overrides, IsEmpty());
}

TEST(CommandLine, ReadsARecipeNamedLikeACommandByItsPath) {
  EXPECT_EQ(std::get<RunCommand>(parse({"./env"})).recipe, "./env");
}

TEST(CommandLine, ValueNamedLikeACommandIsNoCommand) {
  const auto run = std::get<RunCommand>(parse({"a.yaml", "run_name=env"}));

  EXPECT_THAT(run.overrides, ElementsAre("run_name=env"));
}

TEST(CommandLine, ValidatesARecipeWithItsOverrides) {
  const auto validate = std::get<ValidateCommand>(parse({"validate", "a.yaml", "seed=7"}));

  EXPECT_EQ(validate.recipe, "a.yaml");
  EXPECT_THAT(validate.overrides, ElementsAre("seed=7"));
}

TEST(CommandLine, ReadsTheOtherCommands) {
  EXPECT_TRUE(std::holds_alternative<EnvCommand>(parse({"env"})));
  EXPECT_EQ(std::get<CkptLsCommand>(parse({"ckpt", "ls", "runs/x"})).path, "runs/x");
  EXPECT_EQ(std::get<CkptVerifyCommand>(parse({"ckpt", "verify", "runs/x"})).path, "runs/x");
}

TEST(CommandLine, ExportsACheckpoint) {
  const auto plain =
      std::get<CkptExportCommand>(parse({"ckpt", "export", "runs/x", "out", "--model", "m.gguf"}));
  const auto wide = std::get<CkptExportCommand>(
      parse({"ckpt", "export", "--dtype", "float32", "--model", "m", "runs/x", "out"}));

  EXPECT_EQ(plain.path, "runs/x");
  EXPECT_EQ(plain.out, "out");
  EXPECT_EQ(plain.model, "m.gguf");
  EXPECT_EQ(plain.dtype, "bfloat16");
  EXPECT_EQ(wide.dtype, "float32");
}

TEST(CommandLine, HelpAndVersionAreFoundAnywhere) {
  EXPECT_TRUE(std::holds_alternative<HelpCommand>(parse({"--help"})));
  EXPECT_TRUE(std::holds_alternative<HelpCommand>(parse({"-h"})));
  EXPECT_TRUE(std::holds_alternative<HelpCommand>(parse({"validate", "--help"})));
  EXPECT_TRUE(std::holds_alternative<HelpCommand>(parse({"ckpt", "ls", "--help"})));
  EXPECT_TRUE(std::holds_alternative<HelpCommand>(parse({"a.yaml", "--help"})));
  EXPECT_TRUE(std::holds_alternative<VersionCommand>(parse({"--version"})));
}

TEST(CommandLine, RefusesWhatItDoesNotKnowInOneLineWithAHint) {
  struct Case {
    std::vector<const char*> words;
    const char* message;
  };
  const Case cases[] = {
      {{}, "expected a recipe, found none"},
      {{""}, "expected a recipe, found none"},
      {{"validate"}, "validate: expected a recipe, found none"},
      {{"--hlep"}, "unknown option '--hlep'; did you mean '--help'?"},
      {{"a.yaml", "--verison"}, "unknown option '--verison'; did you mean '--version'?"},
      {{"a.yaml", "-x"}, "unknown option '-x'"},
      {{"a.yaml", "--sft.max_steps=3"}, "keys of a recipe are set without dashes"},
      {{"validate", "a.yaml", "--strict"}, "unknown option '--strict'"},
      {{"valdate", "a.yaml"}, "did you mean 'validate'?"},
      {{"a.yaml", "b.yaml"}, "expected key.path=value after the recipe, found 'b.yaml'"},
      {{"a.yaml", "=3"}, "expected key.path=value after the recipe, found '=3'"},
      {{"seed=3", "a.yaml"}, "expected a recipe before the overrides, found 'seed=3'"},
      {{"env", "more"}, "'more'"},
      {{"ckpt"}, "ckpt: expected ls, verify or export"},
      {{"ckpt", "lst", "x"},
       "ckpt: expected ls, verify or export, found 'lst'; did you mean 'ls'?"},
      {{"ckpt", "export"}, "ckpt export: expected a path, found none"},
      {{"ckpt", "export", "a"}, "ckpt export: expected a folder to write, found none"},
      {{"ckpt", "export", "a", "b"}, "ckpt export: expected --model MODEL, found none"},
      {{"ckpt", "export", "a", "b", "--model", "m", "--dtype", "int8"}, "--dtype: int8 not in"},
      {{"ckpt", "verify"}, "ckpt verify: expected a path, found none"},
      {{"ckpt", "ls", "a", "b"}, "unexpected argument 'b'"},
  };
  for (const Case& one : cases) {
    const std::string message = usage_error(one.words);

    EXPECT_THAT(message, HasSubstr(one.message));
    EXPECT_THAT(message, HasSubstr("--help"));
    EXPECT_THAT(message, Not(HasSubstr("\n")));
  }
}

TEST(CommandLine, HelpListsCommandsExamplesAndExitCodes) {
  for (const char* part : {"validate RECIPE.yaml", "ckpt ls PATH", "ckpt verify PATH",
                           "ckpt export CHECKPOINT OUT_DIR", "xkde_dist env", "--version",
                           "key.path=value", "Examples:", "mpirun -n 2", "Exit codes:"}) {
    EXPECT_THAT(help_text(), HasSubstr(part));
  }
  for (const ExitCode code :
       {ExitCode::kDone, ExitCode::kUsage, ExitCode::kBadData, ExitCode::kMissingInput,
        ExitCode::kNoDevice, ExitCode::kInternal, ExitCode::kOutOfMemory, ExitCode::kIo,
        ExitCode::kStopped, ExitCode::kBadRecipe, ExitCode::kDiverged, ExitCode::kPeerLost,
        ExitCode::kNoCheckpoint}) {
    EXPECT_THAT(help_text(), HasSubstr(concat(" ", static_cast<int>(code), "  ")));
  }
}

TEST(CommandLine, VersionHasNameAndNumber) {
  EXPECT_THAT(version_text(), ::testing::MatchesRegex("xkde_dist [0-9]+\\.[0-9]+\\.[0-9]+"));
}

}  // namespace
}  // namespace xkde
