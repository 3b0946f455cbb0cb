#include "launch/command_line/cli11_words.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/text/did_you_mean.h"
#include "launch/command_line/recipe_arguments.h"
#include "stages/recipe/errors.h"

namespace xkde {
namespace {

using Parts = std::vector<std::string>;

/// What stands for each '%' of `form` in `text`; nothing where the text has another form.
std::optional<Parts> filled_places(std::string_view text, std::string_view form) {
  Parts parts;
  while (true) {
    const size_t mark = form.find('%');
    const std::string_view before = form.substr(0, mark);
    if (!text.starts_with(before)) return std::nullopt;
    text.remove_prefix(before.size());
    if (mark == form.npos) return text.empty() ? std::optional(parts) : std::nullopt;
    form.remove_prefix(mark + 1);
    const std::string_view next = form.substr(0, form.find('%'));
    const size_t end = next.empty() ? text.size() : text.find(next);
    if (end == text.npos) return std::nullopt;
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

/// "a,b" -> "a", "b".
std::vector<std::string> listed_names(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    names.emplace_back(list.substr(0, comma));
    list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
  }
  return names;
}

std::string wrong_choice(const Parts& parts) {
  const std::vector<std::string> names = listed_names(parts[2]);
  return concat(parts[0], ": expected ", recipe::alternatives(names), ", found ",
                in_quotes(parts[1]), did_you_mean(parts[1], names));
}

/// "N:INT in [1 - 9]" and "DTYPE:{a,b}" are what CLI11 calls a value that may not be everything.
std::string no_value(const Parts& parts) {
  const std::vector<std::string> choices = choices_in(parts[2]);
  const std::string type = parts[2].substr(0, parts[2].find(':'));
  return concat(parts[0], ": expected ", choices.empty() ? type : recipe::alternatives(choices),
                ", found none");
}

/// Of a number, or of a flag to which somebody gave a value.
constexpr std::string_view kUnread = "Could not convert: % = %";

struct Form {
  std::string_view theirs;
  std::string (*ours)(const Parts& parts);
};
constexpr Form kForms[] = {
    {kUnread,
     [](const Parts& parts) {
       return concat(parts[0], ": expected a number, found ", in_quotes(parts[1]));
     }},
    {"%: Value % not in range % to %",
     [](const Parts& parts) {
       return concat(parts[0], ": expected a number from ", parts[2], " to ", parts[3], ", found ",
                     in_quotes(parts[1]));
     }},
    {"%: % not in {%}", wrong_choice},
    {"%: % required % missing", no_value},
    {"%: At Most % required but received %",
     [](const Parts& parts) {
       return concat(parts[0], ": expected this option at most ",
                     parts[1] == "1" ? "once" : parts[1] + " times", ", found it ", parts[2],
                     " times");
     }},
    {"Expected exactly % arguments to %, got %",
     [](const Parts& parts) {
       return concat(parts[1], ": expected ", parts[0], " values, found ", parts[2]);
     }},
    {"The value % is not an allowed value for %",
     [](const Parts& parts) {
       return concat(parts[1], ": expected no value, found ", in_quotes(parts[0]));
     }},
    {"% was given a disallowed flag override",
     [](const Parts& parts) { return concat(parts[0], ": expected no value, found one"); }},
    {"%: too many inputs for a flag",
     [](const Parts& parts) { return concat(parts[0], ": expected no value, found several"); }},
    {"%: Should be true/false or a number",
     [](const Parts& parts) { return concat(parts[0], ": expected no value, found one"); }},
    {"% excludes %",
     [](const Parts& parts) {
       return concat("expected ", parts[0], " or ", parts[1], ", found both");
     }},
    {"% requires %",
     [](const Parts& parts) {
       return concat("expected ", parts[1], " beside ", parts[0], ", found none");
     }},
};

}  // namespace

std::vector<std::string> choices_in(std::string_view type) {
  const size_t begin = type.find(":{");
  if (begin == type.npos || type.back() != '}') return {};
  return listed_names(type.substr(begin + 2, type.size() - begin - 3));
}

std::string in_house_form(std::string_view message, std::span<const std::string> flags) {
  const std::optional<Parts> unread = filled_places(message, kUnread);
  if (unread && std::ranges::find(flags, unread->front()) != flags.end())
    return concat(unread->front(), ": expected no value, found ", in_quotes(unread->back()));
  for (const Form& form : kForms) {
    if (const std::optional<Parts> parts = filled_places(message, form.theirs))
      return form.ours(*parts);
  }
  return std::string(message);
}

}  // namespace xkde
