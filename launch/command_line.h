#ifndef XKDE_LAUNCH_COMMAND_LINE_H_
#define XKDE_LAUNCH_COMMAND_LINE_H_

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace xkde {

/// `xkde_dist RECIPE [key.path=value ...]`
struct RunCommand {
  std::filesystem::path recipe;
  std::vector<std::string> overrides;
};

/// `xkde_dist validate RECIPE [key.path=value ...]`
struct ValidateCommand {
  std::filesystem::path recipe;
  std::vector<std::string> overrides;
};

/// `xkde_dist estimate RECIPE [-n N] [--machine NAME] [key.path=value ...]`
struct EstimateCommand {
  std::filesystem::path recipe;
  std::vector<std::string> overrides;
  int ranks = 1;
  std::string machine = "here";  ///< or a preset of GPU nodes
};

/// `xkde_dist ask RECIPE [--lang CODE] [--memory FILE] [--encoder DIR] [-k N] [key.path=value ...]
/// ["question"]`
struct AskCommand {
  std::filesystem::path recipe;
  std::vector<std::string> overrides;
  std::string question;           ///< empty: read questions and edits from standard input
  std::string language;           ///< of the questions; empty: the recipe's first test language
  std::filesystem::path memory;   ///< an edit memory to open or make; empty: in memory only
  std::filesystem::path encoder;  ///< empty: that of the recipe's last retriever
  int k = 0;                      ///< facts in a context; 0: as the recipe's retriever, else 1
};

struct ReportCommand {  ///< `xkde_dist report RUN [RUN ...] [--out FILE]`
  std::vector<std::filesystem::path> runs;
  std::filesystem::path out;  ///< of several runs; empty: report.html in the current folder
};

struct EnvCommand {};  ///< `xkde_dist env`

struct CkptLsCommand {  ///< `xkde_dist ckpt ls PATH`
  std::filesystem::path path;
};

struct CkptVerifyCommand {  ///< `xkde_dist ckpt verify PATH`
  std::filesystem::path path;
};

/// `xkde_dist ckpt export CHECKPOINT OUT_DIR --model MODEL [--dtype DTYPE]`
struct CkptExportCommand {
  std::filesystem::path path, out, model;
  std::string dtype = "bfloat16";  ///< or "float32"
};

struct HelpCommand {};     ///< `--help`, also behind a command
struct VersionCommand {};  ///< `--version`

using Command = std::variant<RunCommand, ValidateCommand, EstimateCommand, AskCommand,
                             ReportCommand, EnvCommand, CkptLsCommand, CkptVerifyCommand,
                             CkptExportCommand, HelpCommand, VersionCommand>;

/// Reads the command line; argv[0] is passed over, files are not opened. Overrides are only looked
/// at for their '='. Throws UsageError, one line with a hint.
Command parse_command_line(int argc, const char* const* argv);

/// What `--help` prints: commands, examples, environment, exit codes.
const std::string& help_text();
/// "xkde_dist 0.1.0".
const std::string& version_text();

}  // namespace xkde

#endif  // XKDE_LAUNCH_COMMAND_LINE_H_
