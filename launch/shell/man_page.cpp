#include "launch/shell/man_page.h"

#include <string_view>

#include <fmt/format.h>

namespace xkde {
namespace {

/// Text in which roff sees no requests and no escapes.
std::string roff(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    const bool begins_line = out.empty() || out.back() == '\n';
    if (begins_line && (letter == '.' || letter == '\'')) out += "\\&";
    if (letter == '\\') {
      out += "\\e";
    } else if (letter == '-') {
      out += "\\-";
    } else if (letter == '\'') {
      out += "\\(aq";
    } else if (letter == '~') {
      out += "\\(ti";
    } else if (letter == '^') {
      out += "\\(ha";
    } else if (letter == '`') {
      out += "\\(ga";
    } else {
      out += letter;
    }
  }
  return out;
}

std::string man_entry(const std::string& name, const std::string& text) {
  return ".TP\n.B " + roff(name) + "\n" + roff(text) + "\n";
}

std::string man_usage(const CommandFacts& command) {
  std::string line = "xkde_dist";
  for (const std::string& part : {command.name, command.usage}) {
    if (!part.empty()) line += " " + part;
  }
  return line;
}

std::string man_title(const CommandFacts& command) {
  return command.name.empty() ? "RECIPE.yaml" : command.name;
}

std::string man_section(const CommandFacts& command) {
  std::string text = ".SS \"" + roff(man_title(command)) + "\"\n.B " + roff(man_usage(command)) +
                     "\n.PP\n" + roff(command.summary) + ".\n";
  for (const OptionFacts& one : command.arguments)
    text += man_entry(one.names.front(), one.description);
  for (const OptionFacts& one : command.options) {
    text += man_entry(
        fmt::format("{}{}{}", fmt::join(one.names, ", "), one.value.empty() ? "" : " ", one.value),
        one.description);
  }
  return text;
}

constexpr std::string_view kEnvironment[][2] = {
    {"OMP_NUM_THREADS", "threads of a rank, where the recipe leaves parallel.threads at 0"},
    {"XKDE_RECIPES_DIR", "the folder of recipes of `xkde_dist recipes`"},
    {"HOME",
     "what a `~` at the beginning of a path in a recipe stands for; ${NAME} is any variable"},
};

}  // namespace

std::string man_page(const ProgramFacts& program) {
  std::string text = ".\\\" Written by `xkde_dist man`.\n.TH XKDE_DIST 1 \"\" \"" +
                     roff(program.version) + "\"\n.SH NAME\n" + roff(program.about) +
                     "\n.SH SYNOPSIS\n.nf\n";
  for (const CommandFacts& command : program.commands)
    text += ".B " + roff(man_usage(command)) + "\n";
  for (const std::string& usage : program.help_usages) text += ".B " + roff(usage) + "\n";
  text += ".fi\n.SH COMMANDS\n";
  for (const CommandFacts& command : program.commands) text += man_section(command);
  text += ".SH EXAMPLES\n.nf\n";
  for (const CommandFacts& command : program.commands) {
    for (const std::string& example : command.examples) text += roff(example) + "\n";
  }
  text += ".fi\n.SH ENVIRONMENT\n";
  for (const auto& [name, meaning] : kEnvironment)
    text += man_entry(std::string(name), std::string(meaning));
  text += ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : program.exit_codes)
    text += man_entry(std::to_string(code), meaning);
  return text;
}

}  // namespace xkde
