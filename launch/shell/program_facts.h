#ifndef XKDE_LAUNCH_SHELL_PROGRAM_FACTS_H_
#define XKDE_LAUNCH_SHELL_PROGRAM_FACTS_H_

#include <string>
#include <utility>
#include <vector>

namespace xkde {

/// An option or an argument of a command.
struct OptionFacts {
  std::vector<std::string> names;  ///< "-h", "--help"; of an argument what usage lines call it
  std::string value;  ///< what stands behind an option: "FILE"; empty: nothing, or an argument
  std::vector<std::string> choices;  ///< of the value; empty: any
  std::string description;
};

/// One command, as its class describes it.
struct CommandFacts {
  std::string name;  ///< "ckpt ls"; empty for the one that runs a recipe
  std::string usage;
  std::string summary;
  std::vector<std::string> examples;
  std::vector<OptionFacts> arguments;
  std::vector<OptionFacts> options;  ///< with --help, the last one
};

/// What help texts, completions and the man page are written from.
struct ProgramFacts {
  std::string version;
  std::string about;  ///< a line
  std::vector<CommandFacts> commands;
  std::vector<std::string> help_usages;  ///< command lines that ask for help or the version
  std::vector<std::pair<int, std::string>> exit_codes;
};

/// A key that may be set on the command line: "sft.packing", and its values where they are few.
struct KeyFacts {
  std::string path;
  std::vector<std::string> values;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_SHELL_PROGRAM_FACTS_H_
