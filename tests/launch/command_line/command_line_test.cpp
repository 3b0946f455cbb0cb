#include "launch/command_line/command_line.h"

#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "launch/ask/ask.h"
#include "launch/ask/serve.h"
#include "launch/checkpoint_commands.h"
#include "launch/commands.h"
#include "launch/environment_report.h"
#include "launch/estimate.h"
#include "launch/init.h"
#include "launch/recipe_commands.h"
#include "launch/report.h"
#include "launch/run_recipe.h"
#include "launch/show.h"
#include "launch/sweep/sweep.h"
#include "launch/validate.h"

namespace xkde {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// A command line over all commands, which live as long as it.
struct Line {
  explicit Line(std::vector<const char*> words) : commands(all_commands({})) {
    words.insert(words.begin(), "xkde_dist");
    parsed = parse_command_line(commands, static_cast<int>(words.size()), words.data());
  }
  CliCommands commands;
  ParsedCommandLine parsed;
};

/// The command of one kind that the words call.
template <typename Command>
class Parsed {
 public:
  explicit Parsed(const std::vector<const char*>& words) : line_(words) {}
  const Command* operator->() const {
    const auto* command = dynamic_cast<const Command*>(line_.parsed.command);
    if (command == nullptr) throw std::logic_error("another command");
    return command;
  }

 private:
  Line line_;
};

std::string usage_error(const std::vector<const char*>& words) {
  try {
    Line{words};
  } catch (const UsageError& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(CommandLine, AskTakesAQuestionAmongItsOverrides) {
  const Parsed<AskCommand> ask({"ask", "a.yaml", "--lang", "fr", "x.y=1", "Que vaut a = b ?", "-k",
                                "2", "--memory", "m.h5", "--encoder", "e", "--threshold", "0.81"});

  EXPECT_EQ(ask->asked.arguments.recipe, "a.yaml");
  EXPECT_EQ(ask->question, "Que vaut a = b ?");
  EXPECT_THAT(ask->asked.arguments.overrides, ElementsAre("x.y=1"));
  EXPECT_EQ(ask->asked.options.language, "fr");
  EXPECT_EQ(ask->asked.options.k, 2);
  EXPECT_EQ(ask->asked.options.model, "");
  EXPECT_EQ(ask->asked.options.memory, "m.h5");
  EXPECT_EQ(ask->asked.options.encoder, "e");
  EXPECT_EQ(ask->asked.options.threshold, 0.81);
  EXPECT_EQ(Parsed<AskCommand>({"ask", "a.yaml"})->question, "");
  EXPECT_EQ(Parsed<AskCommand>({"ask", "a.yaml"})->asked.options.k, std::nullopt);
  EXPECT_EQ(Parsed<AskCommand>({"ask", "a.yaml"})->asked.options.threshold, std::nullopt);
}

TEST(CommandLine, AskTakesAModelAndFactsInPlaceOfARecipe) {
  const Parsed<AskCommand> ask(
      {"ask", "--model", "m", "--facts", "f.jsonl", "--fact-lang", "zh", "-k", "0", "Who?"});

  EXPECT_EQ(ask->asked.options.model, "m");
  EXPECT_EQ(ask->asked.options.facts, "f.jsonl");
  EXPECT_EQ(ask->asked.options.fact_language, "zh");
  EXPECT_EQ(ask->asked.options.k, 0);
  EXPECT_EQ(ask->question, "Who?");
  EXPECT_EQ(Parsed<AskCommand>({"ask", "--model", "m"})->question, "");
  EXPECT_THAT(usage_error({"ask", "--model", "m", "a.yaml"}),
              HasSubstr("ask: expected a recipe or --model, found both"));
  EXPECT_THAT(usage_error({"ask", "--model", "m", "one?", "two?"}),
              HasSubstr("ask: expected one question beside --model, found 'two?'"));
  EXPECT_THAT(usage_error({"ask", "a.yaml", "--facts", "f", "--memory", "m.h5"}),
              HasSubstr("ask: expected --facts or --memory, found both"));
  EXPECT_THAT(usage_error({"ask", "a.yaml", "--fact-lang", "de"}),
              HasSubstr("ask: expected --facts FILE beside --fact-lang, found none"));
}

TEST(CommandLine, AskKeepsAsManyTurnsAsItIsTold) {
  EXPECT_EQ(Parsed<AskCommand>({"ask", "a.yaml"})->turns, -1);
  EXPECT_EQ(Parsed<AskCommand>({"ask", "a.yaml", "--history", "0"})->turns, 0);
  EXPECT_THAT(usage_error({"ask", "a.yaml", "--history", "-1"}), HasSubstr("--history"));
}

TEST(CommandLine, ServeTakesTheWordsOfAskAndAPlaceToListen) {
  const Parsed<ServeCommand> plain({"serve", "a.yaml", "x.y=1"});
  EXPECT_EQ(plain->asked.options.recipe, "a.yaml");
  EXPECT_THAT(plain->asked.options.overrides, ElementsAre("x.y=1"));
  EXPECT_EQ(plain->options.host, "127.0.0.1");
  EXPECT_EQ(plain->options.port, 8642);
  EXPECT_TRUE(plain->asked.options.is_read_only);
  const Parsed<ServeCommand> full({"serve", "--model", "m", "--facts", "f", "--fact-lang", "de",
                                   "--lang", "fr", "-k", "2", "--encoder", "e", "--port", "9000",
                                   "--host", "::1", "--max-tokens", "5"});
  EXPECT_EQ(full->asked.options.model, "m");
  EXPECT_EQ(full->asked.options.facts, "f");
  EXPECT_EQ(full->asked.options.language, "fr");
  EXPECT_EQ(full->asked.options.k, 2);
  EXPECT_EQ(full->options.port, 9000);
  EXPECT_EQ(full->options.host, "::1");
  EXPECT_EQ(full->options.limits.new_tokens, 5);
  EXPECT_THAT(usage_error({"serve"}),
              HasSubstr("serve: expected a recipe or --model MODEL, found none"));
  EXPECT_THAT(usage_error({"serve", "--model", "m", "a.yaml"}),
              HasSubstr("serve: expected a recipe or --model, found both"));
  EXPECT_THAT(usage_error({"serve", "a.yaml", "--port", "65536"}), HasSubstr("--port"));
}

TEST(CommandLine, InitTakesANameAndAModel) {
  const Parsed<InitCommand> init({"init", "work/my_edits", "--model", "m"});
  EXPECT_EQ(init->folder, "work/my_edits");
  EXPECT_EQ(init->model, "m");
  EXPECT_THAT(usage_error({"init"}), HasSubstr("init: expected a folder to make, found none"));
  EXPECT_THAT(usage_error({"init", "."}),
              HasSubstr("init: expected the name of a folder, found '.'"));
}

TEST(CommandLine, SweepTakesAGridAndAFolder) {
  const Parsed<SweepCommand> sweep(
      {"sweep", "a.yaml", "seed=1,2", "model.dtype=float32", "--out", "b/", "--dry-run"});
  EXPECT_EQ(sweep->arguments.recipe, "a.yaml");
  EXPECT_EQ(sweep->folder, "b/");
  EXPECT_TRUE(sweep->only_checks);
  EXPECT_EQ(sweep->grid->size(), 2U);
  EXPECT_THAT(usage_error({"sweep"}), HasSubstr("sweep: expected a recipe, found none"));
  EXPECT_THAT(usage_error({"sweep", "a.yaml", "seed=1"}),
              HasSubstr("sweep: expected a key with several values"));
  EXPECT_THAT(usage_error({"sweep", "a.yaml", "seed=1,2", "--out", ".."}),
              HasSubstr("sweep: expected the name of a folder, found '..'"));
  EXPECT_THAT(usage_error({"sweep", "a.yaml", "seed=1,2", "--out", "lr=1"}),
              HasSubstr("sweep: --out: expected a name without '=', which launch/slurm takes for"));
}

TEST(CommandLine, EstimateTakesRanksAndAMachine) {
  const Parsed<EstimateCommand> plain({"estimate", "a.yaml"});
  const Parsed<EstimateCommand> full(
      {"estimate", "a.yaml", "-n", "8", "--machine", "h100", "--slurm", "x.y=1"});

  EXPECT_EQ(plain->ranks, 1);
  EXPECT_EQ(plain->machine, "here");
  EXPECT_FALSE(plain->slurm);
  EXPECT_EQ(full->ranks, 8);
  EXPECT_EQ(full->machine, "h100");
  EXPECT_TRUE(full->slurm);
  EXPECT_THAT(full->arguments.overrides, ElementsAre("x.y=1"));
}

TEST(CommandLine, ReportTakesRunsAndAFile) {
  const Parsed<ReportCommand> report({"report", "a", "b", "--out", "x.html"});
  EXPECT_THAT(report->runs, ElementsAre("a", "b"));
  EXPECT_EQ(report->out, "x.html");
  EXPECT_THAT(usage_error({"report"}), HasSubstr("expected the folder of a run, found none"));
  EXPECT_THAT(usage_error({"report", "a", "--out", "x"}), HasSubstr("expected several runs"));
}

TEST(CommandLine, RecipesAreListedCopiedAndShown) {
  EXPECT_THAT(Parsed<RecipesCommand>({"recipes"})->words, IsEmpty());
  EXPECT_THAT(Parsed<RecipesCommand>({"recipes", "mzsre", "qwen"})->words,
              ElementsAre("mzsre", "qwen"));
  const Parsed<RecipesCopyCommand> copy({"recipes", "copy", "quickstart", "my.yaml"});
  EXPECT_EQ(copy->recipe, "quickstart");
  EXPECT_EQ(copy->file, "my.yaml");
  const Parsed<RecipesShowCommand> show({"recipes", "show", "a", "--resolved", "seed=7"});
  EXPECT_TRUE(show->resolved);
  EXPECT_EQ(show->arguments.recipe, "a");
  EXPECT_THAT(show->arguments.overrides, ElementsAre("seed=7"));
  EXPECT_THAT(usage_error({"recipes", "copy"}), HasSubstr("expected the name of a recipe"));
  EXPECT_THAT(usage_error({"recipes", "show", "a", "seed=7"}), HasSubstr("expected --resolved"));
}

TEST(CommandLine, ShowTakesARunAndWhatIsShown) {
  const Parsed<ShowCommand> show({"show", "a", "--wrong", "--lang", "de", "--record", "17"});
  EXPECT_EQ(show->folder, "a");
  EXPECT_TRUE(show->shown.wrong);
  EXPECT_EQ(show->shown.language, "de");
  EXPECT_EQ(show->shown.record, 17);
  EXPECT_EQ(show->shown.limit, 20);
  EXPECT_THAT(usage_error({"show"}), HasSubstr("show: expected the folder of a run, found none"));
  EXPECT_THAT(usage_error({"show", "a", "--limit", "-1"}),
              HasSubstr("expected --limit of at least 0"));
}

TEST(CommandLine, AskTakesOneQuestion) {
  EXPECT_THAT(usage_error({"ask"}),
              HasSubstr("ask: expected a recipe or --model MODEL, found none"));
  EXPECT_THAT(usage_error({"ask", "a.yaml", "one?", "two?"}),
              HasSubstr("ask: expected key.path=value after the recipe, found 'two?'"));
  EXPECT_THAT(usage_error({"ask", "a.yaml", ""}), HasSubstr("expected a question"));
}

TEST(CommandLine, RunsARecipeWithItsOverridesInOrder) {
  const Parsed<RunCommand> run({"a.yaml", "sft.max_steps=-1", "x=[a,b]", "x=a b", "y="});

  EXPECT_EQ(run->arguments.recipe, "a.yaml");
  EXPECT_THAT(run->arguments.overrides, ElementsAre("sft.max_steps=-1", "x=[a,b]", "x=a b", "y="));
}

TEST(CommandLine, AWordWithATildeRemovesAKey) {
  EXPECT_THAT(Parsed<RunCommand>({"a.yaml", "sft.lora~", "stages.2~"})->arguments.overrides,
              ElementsAre("sft.lora~", "stages.2~"));
  const Parsed<AskCommand> ask({"ask", "a.yaml", "sft~", "What is a ~"});
  EXPECT_THAT(ask->asked.arguments.overrides, ElementsAre("sft~"));
  EXPECT_EQ(ask->question, "What is a ~");
  EXPECT_THAT(usage_error({"a.yaml", "not a key~"}), HasSubstr("expected key.path=value"));
}

TEST(CommandLine, RunsARecipeAlone) {
  const Parsed<RunCommand> run({"dir/my recipe"});

  EXPECT_EQ(run->arguments.recipe, "dir/my recipe");
  EXPECT_THAT(run->arguments.overrides, IsEmpty());
}

TEST(CommandLine, SetsChangedStagesAsideOnRequestOnly) {
  EXPECT_FALSE(Parsed<RunCommand>({"a.yaml"})->fresh);
  const Parsed<RunCommand> run({"a.yaml", "--fresh", "seed=7"});

  EXPECT_TRUE(run->fresh);
  EXPECT_THAT(run->arguments.overrides, ElementsAre("seed=7"));
  EXPECT_THAT(usage_error({"validate", "a.yaml", "--fresh"}),
              HasSubstr("unknown option '--fresh'"));
}

TEST(CommandLine, ADryRunMayShowSamples) {
  const Parsed<RunCommand> run({"a.yaml", "--dry-run", "--show-samples", "3", "seed=7"});

  EXPECT_TRUE(run->dry_run);
  EXPECT_EQ(run->shown_samples, 3);
  EXPECT_THAT(run->arguments.overrides, ElementsAre("seed=7"));
  EXPECT_THAT(usage_error({"a.yaml", "--show-samples", "3"}), HasSubstr("expected --dry-run"));
  EXPECT_EQ(usage_error({"a.yaml", "--dry-run", "--fresh"}), "no error");
}

TEST(CommandLine, ReadsARecipeNamedLikeACommandByItsPath) {
  EXPECT_EQ(Parsed<RunCommand>({"./env"})->arguments.recipe, "./env");
  EXPECT_EQ(Parsed<RunCommand>({"./help"})->arguments.recipe, "./help");
}

TEST(CommandLine, ValueNamedLikeACommandIsNoCommand) {
  const Parsed<RunCommand> run({"a.yaml", "run_name=env"});

  EXPECT_THAT(run->arguments.overrides, ElementsAre("run_name=env"));
}

TEST(CommandLine, ValidatesARecipeWithItsOverrides) {
  const Parsed<ValidateCommand> validate({"validate", "a.yaml", "seed=7"});

  EXPECT_EQ(validate->arguments.recipe, "a.yaml");
  EXPECT_THAT(validate->arguments.overrides, ElementsAre("seed=7"));
}

TEST(CommandLine, ReadsTheOtherCommands) {
  EXPECT_EQ(Parsed<EnvCommand>({"env"})->name(), "env");
  EXPECT_EQ(Parsed<CkptLsCommand>({"ckpt", "ls", "runs/x"})->path, "runs/x");
  EXPECT_EQ(Parsed<CkptVerifyCommand>({"ckpt", "verify", "runs/x"})->path, "runs/x");
}

TEST(CommandLine, ExportsACheckpoint) {
  const Parsed<CkptExportCommand> plain({"ckpt", "export", "runs/x", "out", "--model", "m.gguf"});
  const Parsed<CkptExportCommand> wide(
      {"ckpt", "export", "--dtype", "float32", "--model", "m", "runs/x", "out"});

  EXPECT_EQ(plain->path, "runs/x");
  EXPECT_EQ(plain->out, "out");
  EXPECT_EQ(plain->model, "m.gguf");
  EXPECT_EQ(plain->dtype, "bfloat16");
  EXPECT_EQ(wide->dtype, "float32");
}

/// What is printed in place of running a command.
std::string printed(const std::vector<const char*>& words) {
  const Line line(words);
  return line.parsed.command == nullptr ? line.parsed.text : "nothing: it is a command";
}

TEST(CommandLine, HelpAndVersionAreFoundAnywhere) {
  const std::string help = help_text(all_commands({}));
  EXPECT_EQ(printed({"--help"}), help);
  EXPECT_EQ(printed({"-h"}), help);
  EXPECT_EQ(printed({"a.yaml", "--help"}), help);
  EXPECT_EQ(printed({"ckpt", "--help"}), help);
  EXPECT_EQ(printed({"--version"}), version_text() + "\n");
}

TEST(CommandLine, TheWordHelpAsksForHelp) {
  EXPECT_EQ(printed({"help"}), printed({"--help"}));
  EXPECT_EQ(printed({"help", "help"}), printed({"--help"}));
  EXPECT_EQ(printed({"help", "--help"}), printed({"--help"}));
  EXPECT_EQ(printed({"help", "ckpt"}), printed({"ckpt", "--help"}));
  EXPECT_EQ(printed({"help", "watch"}), printed({"watch", "--help"}));
  EXPECT_EQ(printed({"help", "ckpt", "ls"}), printed({"ckpt", "ls", "--help"}));
  EXPECT_THAT(usage_error({"help", "wacth"}),
              HasSubstr("help: expected a command, found 'wacth'; did you mean 'watch'?"));
  EXPECT_THAT(usage_error({"hepl"}),
              HasSubstr("expected a command or a recipe, found 'hepl'; did you mean 'help'?"));
}

TEST(CommandLine, EachCommandHasItsOwnHelp) {
  for (const auto& command : all_commands({})) {
    if (command->name().empty()) continue;
    std::vector<std::string> words;
    std::istringstream name{std::string(command->name())};
    for (std::string word; name >> word;) words.push_back(word);
    std::vector<const char*> line;
    for (const std::string& word : words) line.push_back(word.c_str());
    line.push_back("--help");

    const std::string text = printed(line);

    EXPECT_THAT(text, HasSubstr("Usage: xkde_dist " + std::string(command->name())));
    EXPECT_THAT(text, HasSubstr("Options:\n"));
    EXPECT_THAT(text, HasSubstr("-h, --help"));
    EXPECT_FALSE(command->examples().empty());
    for (const std::string_view example : command->examples())
      EXPECT_THAT(text, HasSubstr(std::string(example)));
  }
  EXPECT_THAT(printed({"ask", "--help"}), HasSubstr("--lang CODE"));
  EXPECT_THAT(printed({"estimate", "-h"}), HasSubstr("h100"));
}

TEST(CommandLine, DescriptionsFitIntoEightyColumns) {
  const CliCommands commands = all_commands({});
  std::string all = help_text(commands);
  for (const auto& command : commands) all += help_text(*command);
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) {
    const bool is_command_line = line.find("xkde_dist ") != std::string::npos;
    if (is_command_line) continue;
    EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(CommandLine, NamesOfCommandsDiffer) {
  std::set<std::string_view> names;
  for (const auto& command : all_commands({})) EXPECT_TRUE(names.insert(command->name()).second);
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
      {{"reprot"}, "expected a command or a recipe, found 'reprot'; did you mean 'report'?"},
      {{"ask", "a.yaml", "--memry", "x"}, "unknown option '--memry'; did you mean '--memory'?"},
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
      {{"ckpt", "export", "a", "b", "--model", "m", "--dtype", "float23"},
       "--dtype: expected float32 or bfloat16, found 'float23'; did you mean 'float32'?"},
      {{"ckpt", "export", "a", "b", "--model", "m", "--dtype"},
       "--dtype: expected float32 or bfloat16, found none"},
      {{"ckpt", "export", "a", "b", "--model"}, "--model: expected MODEL, found none"},
      {{"ckpt", "export", "a", "b", "--model", "m", "--dtype", "float32", "--gguf", "F32"},
       "expected --dtype or --gguf, found both"},
      {{"estimate", "a.yaml", "-n", "0"}, "-n: expected a number from 1 to 1048576, found '0'"},
      {{"estimate", "a.yaml", "-n", "x"}, "-n: expected a number from 1 to 1048576, found 'x'"},
      {{"estimate", "a.yaml", "-n"}, "-n: expected N, found none"},
      {{"estimate", "a.yaml", "-n", "1", "-n", "2"},
       "-n: expected this option at most once, found it 2 times"},
      {{"show", "r", "--limit", "many"}, "--limit: expected a number, found 'many'"},
      {{"show", "r", "--record", "1.5"}, "--record: expected a number, found '1.5'"},
      {{"show", "r", "--wrong=maybe"}, "--wrong: expected no value, found 'maybe'"},
      {{"completion", "bsh"},
       "SHELL: expected bash, zsh or fish, found 'bsh'; did you mean 'bash'"},
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
  const std::string help = help_text(all_commands({}));
  for (const char* part : {"validate RECIPE.yaml", "ckpt ls PATH", "ckpt verify PATH",
                           "ckpt export CHECKPOINT OUT_DIR", "xkde_dist env", "--version",
                           "key.path=value", "Examples:", "mpirun -n 2", "Exit codes:"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
  for (const ExitCode code :
       {ExitCode::kDone, ExitCode::kUsage, ExitCode::kBadData, ExitCode::kMissingInput,
        ExitCode::kNoDevice, ExitCode::kInternal, ExitCode::kOutOfMemory, ExitCode::kIo,
        ExitCode::kStopped, ExitCode::kBadRecipe, ExitCode::kDiverged, ExitCode::kPeerLost,
        ExitCode::kNoCheckpoint, ExitCode::kCopiesDiffer}) {
    EXPECT_THAT(help, HasSubstr(concat(" ", static_cast<int>(code), "  ")));
  }
}

TEST(CommandLine, VersionHasNameAndNumber) {
  EXPECT_THAT(version_text(), ::testing::MatchesRegex("xkde_dist [0-9]+\\.[0-9]+\\.[0-9]+"));
}

}  // namespace
}  // namespace xkde
