#ifndef XKDE_LAUNCH_ASK_H_
#define XKDE_LAUNCH_ASK_H_

#include <filesystem>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "launch/command_line/cli_command.h"
#include "launch/command_line/recipe_arguments.h"

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

  RecipeArguments arguments;
  std::string question;           ///< empty: questions and edits come from standard input
  std::filesystem::path model;    ///< in place of a recipe
  std::filesystem::path facts;    ///< a file of facts; empty: the edits of the recipe
  std::string fact_language;      ///< in which these are shown; empty: English
  std::string language;           ///< of the questions; empty: the recipe's first test language
  std::filesystem::path memory;   ///< an edit memory to open or make; empty: in memory only
  std::filesystem::path encoder;  ///< empty: that of the recipe's last retriever
  std::optional<int> k;           ///< facts in a context; nothing: the recipe's retriever's, or 1
};

/// Answers the command's question, or those that come line by line from `in`, with
/// facts that a question finds, and writes what the model was shown. A line "+ question => answer"
/// is a new edit, ":lang CODE" changes the language, ":facts" tells what is remembered, ":help" all
/// of it. The model is the recipe's after its last training stage, or that of the command. Facts
/// are those of the command's file, of its memory, of the memory in the model's folder
/// (export.memory), or the edits of the recipe's last evaluate stage, which a new memory gets too.
/// An encoder finds them (EditMemory), or their letters do (QuestionIndex). One process, CPU or the
/// first GPU. Throws as the parts do, MissingInputError where there is a memory and no encoder.
void ask_model(const AskCommand& command, std::istream& in, std::ostream& out);

}  // namespace xkde

#endif  // XKDE_LAUNCH_ASK_H_
