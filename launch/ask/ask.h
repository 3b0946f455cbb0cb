#ifndef XKDE_LAUNCH_ASK_ASK_H_
#define XKDE_LAUNCH_ASK_ASK_H_

#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include "launch/ask/model_arguments.h"
#include "launch/command_line/cli_command.h"

namespace xkde {

/// `xkde_dist ask`
class AskCommand : public CliCommand {
 public:
  std::string_view name() const override { return "ask"; }
  std::string_view usage() const override {
    return "RECIPE.yaml | --model MODEL [--facts FILE] [--lang CODE] [--memory FILE] "
           "[key.path=value ...] [\"question\"]";
  }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  int run() override;

  ModelArguments asked;
  std::string question;  ///< empty: questions and edits come from standard input
  int turns = -1;        ///< earlier turns before a question; -1: as many as suit the input
};

/// Answers the command's question, or those that come line by line from `in`, and writes each piece
/// of an answer as it comes, then what the model was shown. A line "+ question => answer" is a new
/// edit, ":help" tells of all others. At most `turns` earlier questions stand before a question
/// with their answers. Throws as ask::Answerer does.
void ask_model(const AskCommand& command, int turns, std::istream& in, std::ostream& out);

}  // namespace xkde

#endif  // XKDE_LAUNCH_ASK_ASK_H_
