#ifndef XKDE_LAUNCH_ASK_H_
#define XKDE_LAUNCH_ASK_H_

#include <filesystem>
#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include "launch/cli_command.h"
#include "launch/recipe_arguments.h"

namespace xkde {

/// `xkde_dist ask`
class AskCommand : public CliCommand {
 public:
  std::string_view name() const override { return "ask"; }
  std::string_view usage() const override {
    return "RECIPE.yaml [--lang CODE] [--memory FILE] [-k N] [key.path=value ...] [\"question\"]";
  }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  int run() override;

  RecipeArguments arguments;
  std::string question;           ///< empty: questions and edits come from standard input
  std::string language;           ///< of the questions; empty: the recipe's first test language
  std::filesystem::path memory;   ///< an edit memory to open or make; empty: in memory only
  std::filesystem::path encoder;  ///< empty: that of the recipe's last retriever
  int k = 0;                      ///< facts in a context; 0: as the recipe's retriever, else 1
};

/// Answers the command's question, or those that come line by line from `in`, with
/// facts out of an edit memory, and writes what the model was shown. A line "+ question => answer"
/// is a new edit, ":lang CODE" changes the language, ":facts" tells what is remembered, ":help" all
/// of it. The model is the recipe's after its last training stage; the memory is that of the
/// command's file, that of the model's folder (export.memory), or the edits of the recipe's last
/// evaluate stage, which a new file gets too. One process, CPU or the first GPU. Throws as the
/// parts do, MissingInputError where nothing says what to remember or which encoder to use.
void ask_model(const AskCommand& command, std::istream& in, std::ostream& out);

}  // namespace xkde

#endif  // XKDE_LAUNCH_ASK_H_
