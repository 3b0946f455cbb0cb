#include "core/text/jinja/python/string_literal.h"

#include <charconv>
#include <cstdint>

#include "core/text/regex/unicode.h"

namespace xkde::jinja {
namespace {

bool is_octal(char c) { return c >= '0' && c <= '7'; }

/// Appends the character of `digits` in `base`. False where it is none.
bool append_code(std::string& out, std::string_view digits, size_t expected, int base) {
  uint32_t code = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return false;
  if (expected > 0 && digits.size() != expected) return false;
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
  unicode::append(out, code);
  return true;
}

/// Python's escapes of one letter, and what each stands for.
constexpr std::string_view kLetters = "ntr\\'\"abfv";
constexpr std::string_view kMeanings = "\n\t\r\\'\"\a\b\f\v";

}  // namespace

std::optional<std::string> string_literal(std::string_view quoted) {
  std::string out;
  for (size_t i = 0; i < quoted.size(); ++i) {
    if (quoted[i] != '\\') {
      out += quoted[i];
      continue;
    }
    if (++i == quoted.size()) return std::nullopt;
    const char escaped = quoted[i];
    const size_t letter = kLetters.find(escaped);
    const size_t digits = escaped == 'x' ? 2 : escaped == 'u' ? 4 : escaped == 'U' ? 8 : 0;
    if (letter != std::string_view::npos) {
      out += kMeanings[letter];
    } else if (digits > 0) {
      if (!append_code(out, quoted.substr(i + 1, digits), digits, 16)) return std::nullopt;
      i += digits;
    } else if (is_octal(escaped)) {
      size_t count = 1;
      while (count < 3 && i + count < quoted.size() && is_octal(quoted[i + count])) ++count;
      if (!append_code(out, quoted.substr(i, count), 0, 8)) return std::nullopt;
      i += count - 1;
    } else if (escaped == 'N') {
      return std::nullopt;
    } else if (escaped != '\n') {  // a backslash at a line's end joins the lines
      out += '\\';
      out += escaped;
    }
  }
  return out;
}

}  // namespace xkde::jinja
