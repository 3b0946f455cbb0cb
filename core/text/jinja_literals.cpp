#include "core/text/jinja_literals.h"

#include <charconv>
#include <cstdint>

#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

/// Reads one literal of `text` from behind its opening quote; moves `position` behind the closing
/// one.
std::string read_literal(std::string_view text, char quote, size_t& position) {
  std::string literal;
  const auto code_point = [&](size_t digits) {
    uint32_t code = 0;
    const std::string_view field = text.substr(position, digits);
    const auto result = std::from_chars(field.data(), field.data() + field.size(), code, 16);
    if (field.size() < digits || result.ptr != field.data() + field.size() || code > 0x10FFFF)
      return false;
    unicode::append(literal, code);
    position += digits;
    return true;
  };
  while (position < text.size() && text[position] != quote) {
    const char c = text[position++];
    if (c != '\\' || position >= text.size()) {
      literal += c;
      continue;
    }
    const char escaped = text[position++];
    switch (escaped) {
      case 'n':
        literal += '\n';
        break;
      case 't':
        literal += '\t';
        break;
      case 'r':
        literal += '\r';
        break;
      case '\\':
      case '\'':
      case '"':
        literal += escaped;
        break;
      default:
        if ((escaped == 'x' && code_point(2)) || (escaped == 'u' && code_point(4))) break;
        literal += '\\';
        literal += escaped;
    }
  }
  ++position;
  return literal;
}

}  // namespace

std::vector<std::string> jinja_literals(std::string_view jinja) {
  std::string text;
  for (size_t i = 0; i < jinja.size(); ++i) {
    if (jinja[i] == '\r' && i + 1 < jinja.size() && jinja[i + 1] == '\n') continue;
    text += jinja[i];
  }
  std::vector<std::string> literals;
  for (size_t position = text.find('{'); position < text.size();
       position = text.find('{', position)) {
    const char kind = position + 1 < text.size() ? text[position + 1] : '\0';
    ++position;
    if (kind == '#') {
      position = std::min(text.find("#}", position), text.size());
      continue;
    }
    if (kind != '{' && kind != '%') continue;
    const std::string_view close = kind == '{' ? "}}" : "%}";
    ++position;
    while (position < text.size() && std::string_view(text).substr(position, 2) != close) {
      const char c = text[position++];
      if (c == '\'' || c == '"') literals.push_back(read_literal(text, c, position));
    }
  }
  return literals;
}

}  // namespace xkde
