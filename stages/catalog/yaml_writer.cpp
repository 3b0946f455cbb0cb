#include "stages/catalog/yaml_writer.h"

#include <algorithm>
#include <cctype>
#include <memory>
#include <string_view>

namespace xkde::catalog {
namespace {

using recipe::YamlNode;
using recipe::YamlPtr;
using Kind = YamlNode::Kind;

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

/// Whether a text without quotes may stand so anywhere: no character of it is one of YAML's.
bool may_stand_plain(const std::string& text) {
  const bool is_a_mark = text.starts_with("---") || text.starts_with("...") || text == "-";
  const bool is_of_letters = std::all_of(text.begin(), text.end(), [](char letter) {
    return letter == '+' || kPlain.find(letter) != kPlain.npos;  // '+': of 1e+30
  });
  return !text.empty() && !is_a_mark && is_of_letters;
}

YamlPtr node_of(const Json& value) {
  auto node = std::make_shared<YamlNode>();
  if (value.is_object()) {
    node->kind = Kind::kMap;
    for (const auto& [key, one] : value.items()) node->entries.push_back({key, {}, node_of(one)});
  } else if (value.is_array()) {
    node->kind = Kind::kList;
    for (const Json& one : value) node->items.push_back(node_of(one));
  } else if (!value.is_null()) {
    const bool is_quoted = value.is_string() && !is_plain(value);
    node->kind = is_quoted ? Kind::kQuoted : Kind::kPlain;
    node->text = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return node;
}

std::string quoted(const std::string& text) { return Json(text).dump(); }

/// A value that is written in one line.
std::string in_line(const YamlNode& value) {
  switch (value.kind) {
    case Kind::kNull:
      return "null";
    case Kind::kPlain:
      // What has other characters is a text: a number or a switch has none.
      return may_stand_plain(value.text) ? value.text : quoted(value.text);
    case Kind::kQuoted:
      return is_plain(value.text) ? value.text : quoted(value.text);
    case Kind::kMap:
      return "{}";
    case Kind::kList:
      break;
  }
  std::string line;
  for (const YamlPtr& item : value.items) line += (line.empty() ? "" : ", ") + in_line(*item);
  return "[" + line + "]";
}

/// Whether the value, or a value in it, is a mapping with keys.
bool has_keys(const YamlNode& value) {
  return !value.entries.empty() || std::any_of(value.items.begin(), value.items.end(),
                                               [](const YamlPtr& item) { return has_keys(*item); });
}

void write_mapping(const YamlNode& mapping, const std::string& indent, std::string& out);

/// What follows "key:" or "-"; mappings in lists begin in the line of their mark.
void write_value(const YamlNode& value, const std::string& indent, std::string& out) {
  if (!has_keys(value)) {
    out.append(" ").append(in_line(value)).append("\n");
  } else if (value.kind == Kind::kMap) {
    out += "\n";
    write_mapping(value, indent + "  ", out);
  } else {
    out += "\n";
    for (const YamlPtr& item : value.items) {
      out.append(indent).append("  -");
      if (item->entries.empty()) {
        write_value(*item, indent + "  ", out);
        continue;
      }
      std::string text;
      write_mapping(*item, indent + "    ", text);
      out.append(" ").append(text, indent.size() + 4);
    }
  }
}

void write_mapping(const YamlNode& mapping, const std::string& indent, std::string& out) {
  for (const YamlNode::Entry& entry : mapping.entries) {
    out.append(indent).append(may_stand_plain(entry.key) ? entry.key : quoted(entry.key));
    out.append(":");
    write_value(*entry.value, indent, out);
  }
}

}  // namespace

std::string to_yaml(const Json& object) { return to_yaml(*node_of(object)); }

std::string to_yaml(const YamlNode& mapping) {
  std::string out;
  write_mapping(mapping, "", out);
  return out;
}

}  // namespace xkde::catalog
