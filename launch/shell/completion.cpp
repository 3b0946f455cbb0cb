#include "launch/shell/completion.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "launch/shell/shell_word.h"

namespace xkde {
namespace {

using Words = std::vector<std::string>;

std::string joined(const Words& words) { return fmt::format("{}", fmt::join(words, " ")); }

/// A text between single quotes, as fish reads it.
std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'' || letter == '\\') out += '\\';
    out += letter;
  }
  return out + "'";
}

void add_once(Words& words, const std::string& word) {
  if (!word.empty() && std::find(words.begin(), words.end(), word) == words.end())
    words.push_back(word);
}

/// The first words of all commands, or the second words of those that begin with `group`.
Words commands_in(const ProgramFacts& program, const std::string& group = "") {
  Words words;
  for (const CommandFacts& command : program.commands) {
    const size_t blank = command.name.find(' ');
    const std::string first = command.name.substr(0, blank);
    if (group.empty()) {
      add_once(words, first);
    } else if (first == group && blank != command.name.npos) {
      add_once(words, command.name.substr(blank + 1));
    }
  }
  return words;
}

Words names_of(const CommandFacts& command) {
  Words names;
  for (const OptionFacts& option : command.options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

bool takes(const CommandFacts& command, std::string_view argument) {
  return std::any_of(command.arguments.begin(), command.arguments.end(),
                     [&](const OptionFacts& one) { return one.names.front() == argument; });
}

/// What a command's words are: "recipe" (a file, then keys), "name" (of a recipe, then keys),
/// "shell", or "file".
std::string kind_of(const CommandFacts& command) {
  if (takes(command, "RECIPE.yaml")) return "recipe";
  if (takes(command, "NAME")) return "name";
  if (!command.arguments.empty() && !command.arguments.front().choices.empty())
    return joined(command.arguments.front().choices);
  return command.arguments.empty() ? "none" : "file";
}

/// Lines of a `case` over commands, and over options that take a value.
std::string case_of_commands(const ProgramFacts& program) {
  std::string text;
  for (const CommandFacts& command : program.commands) {
    text += fmt::format("    {}) flags={} kind={} ;;\n", shell_quoted(command.name),
                        shell_quoted(joined(names_of(command))), shell_quoted(kind_of(command)));
  }
  return text;
}

std::string case_of_values(const ProgramFacts& program) {
  std::string text;
  for (const CommandFacts& command : program.commands) {
    for (const OptionFacts& option : command.options) {
      if (option.value.empty()) continue;
      Words patterns;
      for (const std::string& name : option.names)
        patterns.push_back(shell_quoted(command.name + " " + name));
      text += fmt::format("    {}) kind={} ;;\n", fmt::join(patterns, " | "),
                          shell_quoted(option.choices.empty() ? "file" : joined(option.choices)));
    }
  }
  return text;
}

std::string case_of_keys(const std::vector<KeyFacts>& keys) {
  std::string text;
  for (const KeyFacts& key : keys) {
    if (!key.values.empty())
      text += fmt::format("    {}) values={} ;;\n", shell_quoted(key.path),
                          shell_quoted(joined(key.values)));
  }
  return text;
}

/// Lines that set `groups`: the second words of "ckpt" and its like.
std::string case_of_groups(const ProgramFacts& program) {
  std::string text;
  for (const std::string& first : commands_in(program)) {
    const Words second = commands_in(program, first);
    if (!second.empty())
      text +=
          fmt::format("    {}) groups={} ;;\n", shell_quoted(first), shell_quoted(joined(second)));
  }
  return text;
}

Words assignments(const std::vector<KeyFacts>& keys) {
  Words words;
  for (const KeyFacts& key : keys) words.push_back(key.path + "=");
  return words;
}

void put_in(std::string& text, std::string_view mark, const std::string& by) {
  const size_t found = text.find(mark);
  text.replace(found, mark.size(), by);
}

/// The functions that bash and zsh share: what may follow, given the words so far.
constexpr std::string_view kShared =
    R"sh(# The command among the words, what may be its second word, its options and what its words are.
_xkde_command() {
  local second
  command='' groups='' flags='' kind=''
  case "$1" in
@COMMAND_WORDS@
  esac
  case "$1" in
@GROUPS@  esac
  for second in $(echo "$groups"); do
    if [[ "$2" == "$second" ]]; then command="$1 $2"; fi
  done
  case "$command" in
@COMMANDS@  esac
}

# What the value of an option is.
_xkde_value() {
  kind=''
  case "$1" in
@VALUES@  esac
}

# The values of a key, where they are few.
_xkde_key() {
  values=''
  case "$1" in
@KEY_VALUES@  esac
}

_xkde_words=@WORDS@
_xkde_keys=@KEYS@
)sh";

std::string shared(const ProgramFacts& program, const std::vector<KeyFacts>& keys) {
  std::string text(kShared);
  const Words first = commands_in(program);
  Words patterns;
  for (const std::string& word : first) patterns.push_back(shell_quoted(word));
  put_in(text, "@COMMAND_WORDS@",
         fmt::format("    {}) command=\"$1\" ;;", fmt::join(patterns, " | ")));
  put_in(text, "@GROUPS@", case_of_groups(program));
  put_in(text, "@COMMANDS@", case_of_commands(program));
  put_in(text, "@VALUES@", case_of_values(program));
  put_in(text, "@KEY_VALUES@", case_of_keys(keys));
  put_in(text, "@WORDS@", shell_quoted(joined(first)));
  put_in(text, "@KEYS@", shell_quoted(joined(assignments(keys))));
  return text;
}

constexpr std::string_view kBash = R"sh(
_xkde_dist() {
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD - 1]}"
  local command groups flags kind values word has_recipe=no
  local -a matches=()
  COMPREPLY=()
  # "=" is a word of its own.
  if [[ "$cur" == '=' || "$prev" == '=' ]]; then
    word="${COMP_WORDS[COMP_CWORD - 1]}"
    if [[ "$cur" == '=' ]]; then cur=''; else word="${COMP_WORDS[COMP_CWORD - 2]}"; fi
    _xkde_key "$word"
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
    return
  fi
  _xkde_command "${COMP_WORDS[1]:-}" "${COMP_WORDS[2]:-}"
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ "$word" == *.yaml ]]; then has_recipe=yes; fi
  done
  if [[ "$kind" == name ]] && ((COMP_CWORD > 3)); then has_recipe=yes; fi
  local words="$kind"
  _xkde_value "$command $prev"
  if [[ -n "$kind" ]]; then
    if [[ "$kind" != file ]]; then mapfile -t COMPREPLY < <(compgen -W "$kind" -- "$cur"); fi
    return
  fi
  if [[ "$cur" == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
    return
  fi
  if ((COMP_CWORD == 1)); then mapfile -t matches < <(compgen -W "$_xkde_words" -- "$cur"); fi
  if ((COMP_CWORD == 2)) && [[ -n "$groups" ]]; then
    mapfile -t matches < <(compgen -W "$groups" -- "$cur")
  fi
  if [[ "$has_recipe" == yes && ( "$words" == recipe || "$words" == name ) ]]; then
    compopt -o nospace 2>/dev/null
    mapfile -t -O "${#matches[@]}" matches < <(compgen -W "$_xkde_keys" -- "$cur")
  elif [[ "$words" == recipe ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${#matches[@]}" matches < <(compgen -d -- "$cur"; compgen -f -X '!*.yaml' -- "$cur")
  elif [[ "$words" == name ]]; then
    mapfile -t -O "${#matches[@]}" matches < <(
      compgen -W "$("${COMP_WORDS[0]}" recipes 2>/dev/null | sed '1d; s/ .*//')" -- "$cur")
  elif [[ "$words" != file && "$words" != none ]]; then
    mapfile -t -O "${#matches[@]}" matches < <(compgen -W "$words" -- "$cur")
  fi
  COMPREPLY=("${matches[@]}")
}
complete -o default -F _xkde_dist xkde_dist
)sh";

constexpr std::string_view kZsh = R"sh(
_xkde_dist() {
  local command groups flags kind values word has_recipe=no
  local cur="${words[CURRENT]}" prev="${words[CURRENT-1]}"
  if [[ "$cur" == *=* ]]; then
    _xkde_key "${cur%%=*}"
    compset -P '*='
    compadd -- ${=values}
    return
  fi
  _xkde_command "${words[2]}" "${words[3]}"
  for word in "${(@)words[2,CURRENT-1]}"; do
    if [[ "$word" == *.yaml ]]; then has_recipe=yes; fi
  done
  if [[ "$kind" == name ]] && ((CURRENT > 4)); then has_recipe=yes; fi
  local what="$kind"
  _xkde_value "$command $prev"
  if [[ "$kind" == file ]]; then
    _files
  elif [[ -n "$kind" ]]; then
    compadd -- ${=kind}
  elif [[ "$cur" == -* ]]; then
    compadd -- ${=flags}
  else
    if ((CURRENT == 2)); then compadd -- ${=_xkde_words}; fi
    if ((CURRENT == 3)); then compadd -- ${=groups}; fi
    if [[ "$has_recipe" == yes && ( "$what" == recipe || "$what" == name ) ]]; then
      compadd -S '' -- ${=_xkde_keys}
    elif [[ "$what" == recipe ]]; then
      _files -g '*.yaml'
    elif [[ "$what" == name ]]; then
      compadd -- ${(f)"$("${words[1]}" recipes 2>/dev/null | sed '1d; s/ .*//')"}
    elif [[ "$what" == file ]]; then
      _files
    elif [[ "$what" != none ]]; then
      compadd -- ${=what}
    fi
  fi
}
if [[ "${funcstack[1]}" == _xkde_dist ]]; then
  _xkde_dist "$@"
else
  compdef _xkde_dist xkde_dist
fi
)sh";

/// The keys of a mapping that hold values, and those of the mappings in it.
void add_keys(const Json& mapping, const std::string& path, std::vector<KeyFacts>& keys) {
  for (const auto& [key, values] : mapping["properties"].items()) {
    const Json items = values.value("items", Json::object());
    if (values.contains("properties")) {
      add_keys(values, path + key + ".", keys);
    } else if (items.contains("properties")) {
      if (key != "stages") add_keys(items, path + key + ".0.", keys);
    } else {
      KeyFacts one{.path = path + key, .values = values.value("enum", Words())};
      if (values.value("type", Json()) == "boolean") one.values = {"true", "false"};
      keys.push_back(std::move(one));
    }
  }
}

/// fish's condition that a command's words are there.
std::string fish_condition(const ProgramFacts& program, const CommandFacts& command) {
  const size_t blank = command.name.find(' ');
  if (command.name.empty())
    return fmt::format("not __fish_seen_subcommand_from {}", joined(commands_in(program)));
  const std::string first = command.name.substr(0, blank);
  std::string text = "__fish_seen_subcommand_from " + first;
  if (blank != command.name.npos)
    return text + "; and __fish_seen_subcommand_from " + command.name.substr(blank + 1);
  const Words others = commands_in(program, first);
  if (!others.empty()) text += "; and not __fish_seen_subcommand_from " + joined(others);
  return text;
}

std::string fish_line(const std::string& condition, const std::string& rest) {
  return fmt::format("complete -c xkde_dist -n {} {}\n", fish_quoted(condition), rest);
}

std::string fish_option(const std::string& condition, const OptionFacts& option) {
  std::string rest;
  for (const std::string& name : option.names)
    rest += name.starts_with("--") ? "-l " + name.substr(2) + " " : "-s " + name.substr(1) + " ";
  if (!option.value.empty()) rest += "-r ";
  if (!option.choices.empty()) rest += "-f -a " + fish_quoted(joined(option.choices)) + " ";
  return fish_line(condition, rest + "-d " + fish_quoted(option.description));
}

}  // namespace

std::vector<KeyFacts> keys_of(const Json& schema) {
  std::vector<KeyFacts> keys;
  add_keys(schema, "", keys);
  for (const auto& [name, stage] : schema["properties"]["stages"]["items"]["properties"].items())
    add_keys(stage, name + ".", keys);
  return keys;
}

std::string bash_completion(const ProgramFacts& program, const std::vector<KeyFacts>& keys) {
  return "# bash completion of xkde_dist, written by `xkde_dist completion bash`.\n" +
         shared(program, keys).append(kBash);
}

std::string zsh_completion(const ProgramFacts& program, const std::vector<KeyFacts>& keys) {
  return "#compdef xkde_dist\n# Written by `xkde_dist completion zsh`.\n" +
         shared(program, keys).append(kZsh);
}

std::string fish_completion(const ProgramFacts& program, const std::vector<KeyFacts>& keys) {
  std::string text = "# fish completion of xkde_dist, written by `xkde_dist completion fish`.\n";
  for (const CommandFacts& command : program.commands) {
    const std::string condition = fish_condition(program, command);
    const size_t blank = command.name.find(' ');
    if (!command.name.empty()) {
      const std::string first = command.name.substr(0, blank);
      const bool is_second = blank != command.name.npos;
      text +=
          fish_line(is_second ? "__fish_seen_subcommand_from " + first : "__fish_use_subcommand",
                    fmt::format("-f -a {} -d {}",
                                fish_quoted(is_second ? command.name.substr(blank + 1) : first),
                                fish_quoted(command.summary)));
    }
    for (const OptionFacts& option : command.options) text += fish_option(condition, option);
    const std::string kind = kind_of(command);
    if (kind == "recipe" || kind == "name")
      text += fish_line(condition, "-a " + fish_quoted(joined(assignments(keys))));
    if (kind == "name")
      text += fish_line(condition, "-f -a '(xkde_dist recipes 2>/dev/null | sed \"1d; s/ .*//\")'");
    if (kind != "recipe" && kind != "name" && kind != "file" && kind != "none")
      text += fish_line(condition, "-f -a " + fish_quoted(kind));
  }
  return text;
}

}  // namespace xkde
