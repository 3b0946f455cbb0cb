#include "launch/command_line/command_line.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/text/did_you_mean.h"
#include "core/text/text_layout.h"
#include "launch/command_line/cli11_words.h"
#include "launch/command_line/recipe_arguments.h"
#include "stages/recipe/errors.h"

namespace xkde {
namespace {

constexpr std::string_view kAbout =
    "cross-lingual knowledge editing of language models, on many ranks";

/// In front of a command it asks for what `--help` behind it gives. A recipe of this name is
/// reached as "./help".
constexpr std::string_view kHelpWord = "help";
constexpr std::string_view kHelpUsages[] = {"xkde_dist help [COMMAND]",
                                            "xkde_dist [COMMAND] --help | --version"};

constexpr size_t kColumns = 80;
constexpr size_t kIndent = 22;  // of a description behind its name

constexpr std::pair<ExitCode, std::string_view> kExitCodes[] = {
    {ExitCode::kDone, "done"},
    {ExitCode::kUsage, "bad command line"},
    {ExitCode::kBadData, "bad data or model file"},
    {ExitCode::kMissingInput, "missing input"},
    {ExitCode::kNoDevice, "no usable GPU, NCCL or MPI"},
    {ExitCode::kInternal, "a bug in this program"},
    {ExitCode::kOutOfMemory, "out of memory, host or device"},
    {ExitCode::kIo, "disk full, or I/O error while writing"},
    {ExitCode::kStopped, "stopped on request, checkpoint saved: start it again"},
    {ExitCode::kBadRecipe, "bad recipe"},
    {ExitCode::kDiverged, "training diverged"},
    {ExitCode::kPeerLost, "a peer died, or a collective timed out"},
    {ExitCode::kNoCheckpoint, "no checkpoint that verifies"},
    {ExitCode::kCopiesDiffer, "copies of the model that must be equal are not"},
};

/// "ckpt ls" -> "ckpt", "ls"; a name of one word has an empty second part.
std::pair<std::string, std::string> parts_of(std::string_view name) {
  const size_t blank = name.find(' ');
  if (blank == std::string_view::npos) return {std::string(name), ""};
  return {std::string(name.substr(0, blank)), std::string(name.substr(blank + 1))};
}

/// The words that stand at a level of the command line: first words where `group` is empty, else
/// second ones.
std::vector<std::string> names_in(const CliCommands& commands, std::string_view group = "") {
  std::vector<std::string> names;
  for (const auto& command : commands) {
    const auto [first, second] = parts_of(command->name());
    if (!group.empty() && first != group) continue;
    const std::string& name = group.empty() ? first : second;
    if (!name.empty() && (names.empty() || names.back() != name)) names.push_back(name);
  }
  return names;
}

/// A name, and behind it or below it what it is.
std::string entry(const std::string& name, std::string_view text) {
  std::string line = "  " + name;
  if (line.size() + 2 > kIndent) {
    line += "\n" + std::string(kIndent, ' ');
  } else {
    line.resize(kIndent, ' ');
  }
  return folded(line + std::string(text), kColumns, kIndent) + "\n";
}

std::string usage_line(const CliCommand& command) {
  std::string line = "xkde_dist";
  for (const std::string_view part : {command.name(), command.usage()}) {
    if (!part.empty()) line += concat(' ', part);
  }
  return line;
}

OptionFacts facts_of(const CLI::Option& option) {
  OptionFacts facts;
  facts.description = option.get_description();
  const std::string type = option.get_type_name();
  facts.choices = choices_in(type);
  if (option.get_positional()) {
    facts.names = {option.get_name(true)};
    return facts;
  }
  for (const std::string& name : option.get_snames()) facts.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) facts.names.push_back("--" + name);
  facts.value = type.substr(0, type.find(':'));
  return facts;
}

CommandFacts facts_of(CliCommand& command) {
  CommandFacts facts;
  facts.name = command.name();
  facts.usage = command.usage();
  facts.summary = command.summary();
  for (const std::string_view example : command.examples()) facts.examples.emplace_back(example);
  CLI::App app;
  app.set_help_flag();
  command.define(app);
  for (const CLI::Option* option : app.get_options())
    (option->get_positional() ? facts.arguments : facts.options).push_back(facts_of(*option));
  OptionFacts help;
  help.names = {"-h", "--help"};
  help.description = "this text";
  facts.options.push_back(std::move(help));
  return facts;
}

std::string option_name(const OptionFacts& option) {
  return fmt::format("{}{}{}", fmt::join(option.names, ", "), option.value.empty() ? "" : " ",
                     option.value);
}

std::string examples_text(std::span<const std::string_view> examples) {
  std::string text = "\nExamples:\n";
  for (const std::string_view example : examples) text += concat("  ", example, "\n");
  return text;
}

/// CLI11's parser over the commands.
class Parser {
 public:
  explicit Parser(const CliCommands& commands) : commands_(commands) {
    add_flags(app_);
    app_.add_flag("--version", is_version_);
    for (const auto& command : commands_) {
      CLI::App* app = app_for(*command);
      command->define(*app);
      apps_.emplace_back(app, command.get());
    }
  }

  ParsedCommandLine parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      throw UsageError(recipe::printable(in_house_form(error.what(), flags()), 200) + kSeeHelp);
    }
    CliCommand* command = chosen();
    if (is_help_) {
      const bool is_named = command != nullptr && !command->name().empty();
      return {nullptr, is_named ? help_text(*command) : help_text(commands_)};
    }
    if (is_version_) return {nullptr, version_text() + "\n"};
    std::string hint = kSeeHelp;
    if (command != nullptr && !command->name().empty())
      hint = concat(" (see xkde_dist ", command->name(), " --help)");
    try {
      check_group();
      check_remaining(command);
      std::vector<std::string> names = names_in(commands_);
      names.emplace_back(kHelpWord);
      command->check(names);
    } catch (const UsageError& error) {
      throw UsageError(error.what() + hint);
    }
    return {command, ""};
  }

 private:
  static constexpr const char* kSeeHelp = " (see xkde_dist --help)";

  void add_flags(CLI::App& app) {
    app.set_help_flag();
    app.add_flag("-h,--help", is_help_, "this text");
    app.allow_extras();
  }

  CLI::App* child(CLI::App& parent, const std::string& name) {
    CLI::App* app = parent.add_subcommand(name, "");
    add_flags(*app);
    return app;
  }

  CLI::App* app_for(const CliCommand& command) {
    if (command.name().empty()) return &app_;
    const auto [first, second] = parts_of(command.name());
    CLI::App*& group = groups_[first];
    if (group == nullptr) group = child(app_, first);
    return second.empty() ? group : child(*group, second);
  }

  /// The command whose words were there, that of most words; null for a group of commands alone.
  CliCommand* chosen() const {
    for (auto one = apps_.rbegin(); one != apps_.rend(); ++one) {
      if (one->first != &app_ && one->first->parsed()) return one->second;
    }
    for (const auto& [name, app] : groups_) {
      if (app->parsed()) return nullptr;
    }
    return apps_.front().second;
  }

  /// "ckpt" alone is no command.
  void check_group() const {
    for (const auto& [name, app] : groups_) {
      const auto is_own = [app = app](const auto& one) { return one.first == app; };
      if (std::any_of(apps_.begin(), apps_.end(), is_own)) continue;
      if (!app->parsed() || !app->get_subcommands().empty()) continue;
      const std::vector<std::string> expected = names_in(commands_, name);
      const std::vector<std::string> words = app->remaining();
      XKDE_CHECK(!words.empty(), UsageError, name, ": expected ", recipe::alternatives(expected),
                 ", found none");
      throw UsageError(concat(name, ": expected ", recipe::alternatives(expected), ", found ",
                              in_quotes(words.front()), did_you_mean(words.front(), expected)));
    }
  }

  /// Refuses options that nobody defined and words too many.
  void check_remaining(const CliCommand* command) const {
    const std::vector<std::string> remaining = app_.remaining(true);
    if (remaining.empty()) return;
    const std::string& word = remaining.front();
    XKDE_CHECK(word.starts_with('-'), UsageError, "unexpected argument ", in_quotes(word));
    const bool sets_a_key = word.find('=') != word.npos && word.find('.') != word.npos;
    XKDE_CHECK(!sets_a_key, UsageError, "unknown option ", in_quotes(word),
               "; keys of a recipe are set without dashes");
    const std::string name = word.substr(0, word.find('='));
    throw UsageError(
        concat("unknown option ", in_quotes(name), did_you_mean(name, options_of(command))));
  }

  std::vector<std::string> flags() const {
    std::vector<std::string> names;
    for (const auto& [app, owner] : apps_) {
      for (const CLI::Option* option : app->get_options()) {
        if (option->get_expected_max() == 0) names.push_back(option->get_name());
      }
    }
    return names;
  }

  std::vector<std::string> options_of(const CliCommand* command) const {
    std::vector<std::string> names{"--help", "--version"};
    for (const auto& [app, owner] : apps_) {
      if (owner != command) continue;
      for (const CLI::Option* option : app->get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      }
    }
    return names;
  }

  const CliCommands& commands_;
  CLI::App app_{"", "xkde_dist"};
  std::vector<std::pair<CLI::App*, CliCommand*>> apps_;
  std::map<std::string, CLI::App*> groups_;
  bool is_help_ = false;
  bool is_version_ = false;
};

}  // namespace

ParsedCommandLine parse_command_line(const CliCommands& commands, int argc,
                                     const char* const* argv) {
  if (argc < 2 || argv[1] != kHelpWord) return Parser(commands).parse(argc, argv);
  const std::vector<std::string> names = names_in(commands);
  const bool is_known = argc == 2 || argv[2] == kHelpWord || *argv[2] == '-' ||
                        std::ranges::find(names, argv[2]) != names.end();
  XKDE_CHECK(is_known, UsageError, "help: expected a command, found ", in_quotes(argv[2]),
             did_you_mean(argv[2], names), " (see xkde_dist --help)");
  std::vector<const char*> words(argv, argv + argc);
  words.erase(words.begin() + 1);
  words.push_back("--help");
  return Parser(commands).parse(static_cast<int>(words.size()), words.data());
}

ProgramFacts program_facts(const CliCommands& commands) {
  ProgramFacts program;
  program.version = version_text();
  program.about = concat("xkde_dist - ", kAbout);
  for (const auto& command : commands) program.commands.push_back(facts_of(*command));
  program.help_usages.assign(std::begin(kHelpUsages), std::end(kHelpUsages));
  for (const auto& [code, meaning] : kExitCodes)
    program.exit_codes.emplace_back(static_cast<int>(code), meaning);
  return program;
}

std::string help_text(const CliCommands& commands) {
  std::string text = concat("xkde_dist: ", kAbout, "\n\nUsage: [mpirun -n N] ",
                            usage_line(*commands.front()), "\n");
  for (size_t i = 1; i < commands.size(); ++i) text += "       " + usage_line(*commands[i]) + "\n";
  for (const std::string_view usage : kHelpUsages) text += concat("       ", usage, "\n");
  text += "\nCommands:\n";
  for (const auto& command : commands) {
    const std::string name(command->name().empty() ? "RECIPE.yaml" : command->name());
    text += entry(name, command->summary());
  }
  std::vector<std::string_view> examples;
  for (const auto& command : commands) {
    const std::vector<std::string_view> own = command->examples();
    // The command that runs a recipe is what people come for; of the others one each.
    examples.insert(examples.end(), own.begin(),
                    command->name().empty() ? own.end() : own.begin() + 1);
  }
  text += examples_text(examples) + "\nExit codes:\n";
  for (const auto& [code, meaning] : kExitCodes)
    text += fmt::format("  {:>2}  {}\n", static_cast<int>(code), meaning);
  return text;
}

std::string help_text(CliCommand& command) {
  const CommandFacts facts = facts_of(command);
  std::string text =
      "Usage: " + usage_line(command) + "\n\n" + folded(command.summary(), kColumns, 0) + "\n";
  if (!facts.arguments.empty()) text += "\nArguments:\n";
  for (const OptionFacts& one : facts.arguments) text += entry(option_name(one), one.description);
  text += "\nOptions:\n";
  for (const OptionFacts& one : facts.options) text += entry(option_name(one), one.description);
  return text + examples_text(command.examples());
}

std::string version_text() { return std::string("xkde_dist ") + XKDE_VERSION; }

}  // namespace xkde
