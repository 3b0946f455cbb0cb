#include "stages/catalog/yaml_writer.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace xkde::catalog {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";

/// Whether every reader of YAML takes the text for a text.
bool is_plain(const std::string& text) {
  constexpr std::string_view kOthers[] = {"true", "false", "null", "yes", "no", "on",
                                          "off",  "y",     "n",    "inf", "nan"};
  if (text.empty() || kLetters.find(text.front()) == kLetters.npos) return false;
  std::string low = text;
  std::transform(low.begin(), low.end(), low.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text.find_first_not_of(kPlain) == text.npos &&
         std::find(std::begin(kOthers), std::end(kOthers), low) == std::end(kOthers);
}

std::string scalar(const Json& value) {
  if (value.is_string() && is_plain(value)) return value;
  return value.dump();
}

std::string line_of(const Json& list) {
  std::string line;
  for (const Json& item : list) line += (line.empty() ? "" : ", ") + scalar(item);
  return "[" + line + "]";
}

void write_mapping(const Json& object, const std::string& indent, std::string& out);

/// What follows "key:" or "-"; mappings in lists begin in the line of their mark.
void write_value(const Json& value, const std::string& indent, std::string& out) {
  const bool is_list = value.is_array();
  if (value.empty() && value.is_structured()) {
    out += is_list ? " []\n" : " {}\n";
  } else if (is_list && !value.front().is_structured()) {
    out.append(" ").append(line_of(value)).append("\n");
  } else if (is_list) {
    out += "\n";
    for (const Json& item : value) {
      std::string text;
      write_mapping(item, indent + "    ", text);
      out.append(indent).append("  - ").append(text, indent.size() + 4);
    }
  } else if (value.is_object()) {
    out += "\n";
    write_mapping(value, indent + "  ", out);
  } else {
    out.append(" ").append(scalar(value)).append("\n");
  }
}

void write_mapping(const Json& object, const std::string& indent, std::string& out) {
  for (const auto& [key, value] : object.items()) {
    out.append(indent).append(key).append(":");
    write_value(value, indent, out);
  }
}

}  // namespace

std::string to_yaml(const Json& object) {
  std::string out;
  write_mapping(object, "", out);
  return out;
}

}  // namespace xkde::catalog
