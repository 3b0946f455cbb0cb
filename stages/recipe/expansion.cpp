#include "stages/recipe/expansion.h"

#include <cstdlib>

#include "core/base/error.h"
#include "stages/recipe/errors.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kOpen = "${", kKept = "$${";
constexpr std::string_view kLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

bool is_variable(std::string_view name) {
  const bool begins_well = !name.empty() && (name.front() < '0' || name.front() > '9');
  return begins_well && name.find_first_not_of(kLetters) == name.npos;
}

bool begins_at_home(std::string_view path) { return path == "~" || path.starts_with("~/"); }

/// Appends the value of a variable.
void add_variable(std::string_view name, ExpandedPath& path) {
  const char* const value = std::getenv(std::string(name).c_str());
  if (value == nullptr) {
    path.mistake = concat("expected an environment variable ", name, ", found none of that name");
  } else {
    path.text += value;
  }
}

}  // namespace

ExpandedPath expand_path(std::string_view text) {
  ExpandedPath path;
  if (begins_at_home(text)) {
    add_variable("HOME", path);
    text.remove_prefix(1);
  }
  while (!text.empty() && path.mistake.empty()) {
    if (text.starts_with(kKept)) {
      path.text += kOpen;
      text.remove_prefix(kKept.size());
    } else if (text.starts_with(kOpen)) {
      const size_t end = text.find('}');
      const std::string_view name = text.substr(0, end).substr(kOpen.size());
      if (end == text.npos || !is_variable(name)) {
        path.mistake = "expected ${NAME} with the name of an environment variable, found " +
                       printable(text.substr(0, end == text.npos ? end : end + 1)) +
                       "; $${ stands for itself";
      } else {
        add_variable(name, path);
        text.remove_prefix(end + 1);
      }
    } else {
      path.text += text.front();
      text.remove_prefix(1);
    }
  }
  return path;
}

std::string unexpanded_path(std::string_view path) {
  std::string text(begins_at_home(path) ? "./" : "");
  while (!path.empty()) {
    if (path.starts_with(kOpen)) text += '$';
    text += path.front();
    path.remove_prefix(1);
  }
  return text;
}

}  // namespace xkde::recipe
