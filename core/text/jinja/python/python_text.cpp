#include "core/text/jinja/python/python_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "core/text/regex/unicode.h"

namespace xkde::jinja::python {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3;

/// The offset of the character that ends at `end`.
size_t previous(std::string_view text, size_t end) {
  do --end;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

template <typename Predicate>
std::string_view left_without(std::string_view text, const Predicate& goes) {
  size_t at = 0;
  while (at < text.size()) {
    size_t next = at;
    if (!goes(unicode::next(text, next))) break;
    at = next;
  }
  return text.substr(at);
}

template <typename Predicate>
std::string_view right_without(std::string_view text, const Predicate& goes) {
  while (!text.empty()) {
    const size_t begin = previous(text, text.size());
    size_t at = begin;
    if (!goes(unicode::next(text, at))) break;
    text = text.substr(0, begin);
  }
  return text;
}

auto member_of(std::string_view set) {
  return [set](char32_t character) {
    for (size_t at = 0; at < set.size();) {
      if (unicode::next(set, at) == character) return true;
    }
    return false;
  };
}

/// Characters that Python's repr() shows by number. Of those that no version of Unicode knows, the
/// private ones are known here.
bool is_hidden(char32_t c) {
  if (c < 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD) return true;
  if (c != ' ' && is_space(c)) return true;
  return (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xE000 && c <= 0xF8FF) ||
         (c >= 0xFFF0 && c <= 0xFFFB) || c >= 0xE0000;
}

}  // namespace

bool is_space(char32_t character) {
  if (character < 0x80)
    return character == ' ' || (character >= 0x9 && character <= 0xD) ||
           (character >= 0x1C && character <= 0x1F);
  return unicode::is_whitespace(character);
}

std::string_view strip_left(std::string_view text) { return left_without(text, is_space); }
std::string_view strip_right(std::string_view text) { return right_without(text, is_space); }
std::string_view strip_left(std::string_view text, std::string_view set) {
  return left_without(text, member_of(set));
}
std::string_view strip_right(std::string_view text, std::string_view set) {
  return right_without(text, member_of(set));
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

size_t offset_of(std::string_view text, int64_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) unicode::next(text, at);
  return at;
}

std::optional<std::string> upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) >= 0x80) return std::nullopt;
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::optional<std::string> lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const char32_t character = unicode::next(text, at);
    if (character == kCapitalSigma) return std::nullopt;
    unicode::append_lowercase(out, character);
  }
  return out;
}

std::string repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto result =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string text(buffer, result.ptr);
  const size_t mark = text.find('e');
  const int power = std::stoi(text.substr(mark + 1));
  if (power < -4 || power >= 16) return text;  // C++ and Python write the power alike
  const auto fixed = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  std::string shown(buffer, fixed.ptr);
  if (shown.find('.') == std::string::npos) shown += ".0";
  return shown;
}

std::string repr(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = unicode::next(text, at);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\\' || c == static_cast<char32_t>(quote)) {
      out += '\\';
      out += static_cast<char>(c);
    } else if (is_hidden(c)) {
      const auto code = static_cast<uint32_t>(c);
      out += c < 0x100     ? fmt::format("\\x{:02x}", code)
             : c < 0x10000 ? fmt::format("\\u{:04x}", code)
                           : fmt::format("\\U{:08x}", code);
    } else {
      out += text.substr(begin, at - begin);
    }
  }
  return out + quote;
}

}  // namespace xkde::jinja::python
