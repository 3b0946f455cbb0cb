#include "core/text/jinja/python/text_functions.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/text/jinja/python/python_text.h"
#include "core/text/regex/unicode.h"

namespace xkde::jinja {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string changed(Context& context, std::string_view text, bool to_upper) {
  const auto result = to_upper ? python::upper(text) : python::lower(text);
  if (!result)
    context.refuse(concat("expected letters whose ", to_upper ? "upper" : "lower",
                          " case is known here, found \"", text.substr(0, 60), "\""));
  return *result;
}

/// Where the first word ends, or the last one begins.
size_t border_of_word(std::string_view text, bool from_right) {
  size_t border = from_right ? 0 : text.size();
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (!python::is_space(unicode::next(text, at))) continue;
    if (!from_right) return begin;
    border = at;
  }
  return border;
}

/// Words between white space, at most `most` of them cut off; below 0: all.
std::vector<std::string_view> words_of(std::string_view text, int64_t most, bool from_right) {
  std::vector<std::string_view> words;
  if (from_right && most < 0) return words_of(text, most, false);
  while (true) {
    text = from_right ? python::strip_right(text) : python::strip_left(text);
    if (text.empty()) break;
    if (most >= 0 && std::ssize(words) == most) {
      words.push_back(text);
      break;
    }
    const size_t border = border_of_word(text, from_right);
    words.push_back(from_right ? text.substr(border) : text.substr(0, border));
    text = from_right ? text.substr(0, border) : text.substr(border);
  }
  if (from_right) std::reverse(words.begin(), words.end());
  return words;
}

std::vector<std::string_view> parts_of(std::string_view text, std::string_view separator,
                                       int64_t most, bool from_right) {
  std::vector<std::string_view> parts;
  while (most < 0 || std::ssize(parts) < most) {
    const size_t at = from_right ? text.rfind(separator) : text.find(separator);
    if (at == std::string_view::npos) break;
    const std::string_view before = text.substr(0, at);
    const std::string_view behind = text.substr(at + separator.size());
    parts.push_back(from_right ? behind : before);
    text = from_right ? before : behind;
  }
  parts.push_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

Value list_of(Context& context, const std::vector<std::string_view>& parts) {
  std::vector<Value> items;
  for (const std::string_view part : parts) items.push_back(context.text(std::string(part)));
  return context.sequence(std::move(items));
}

}  // namespace

Value cased(Context& context, std::string_view text, Casing casing) {
  context.read(text.size());
  if (casing == Casing::kUpper || casing == Casing::kLower)
    return context.text(changed(context, text, casing == Casing::kUpper));
  if (casing == Casing::kCapitalized) {
    const size_t first = python::offset_of(text, 1);
    return context.text(changed(context, text.substr(0, first), true) +
                        changed(context, text.substr(first), false));
  }
  std::string out(text);
  bool is_inside = false;
  for (char& c : out) {
    if (static_cast<unsigned char>(c) >= 0x80) changed(context, text, true);
    const bool is_letter = is_lower(c) || is_upper(c);
    if (is_letter && is_inside) c = static_cast<char>(c | 0x20);
    if (is_letter && !is_inside) c = static_cast<char>(c & ~0x20);
    is_inside = is_letter;
  }
  return context.text(std::move(out));
}

Value split_text(Context& context, std::string_view text,
                 const std::optional<std::string_view>& separator, int64_t most, bool from_right) {
  if (!separator) return list_of(context, words_of(text, most, from_right));
  if (separator->empty()) context.refuse("str.split: expected a separator, found an empty text");
  return list_of(context, parts_of(text, *separator, most, from_right));
}

Value lines_of(Context& context, std::string_view text) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    const char32_t c = unicode::next(text, at);
    const bool breaks = (c >= 0xA && c <= 0xD) || (c >= 0x1C && c <= 0x1E) || c == 0x85 ||
                        c == 0x2028 || c == 0x2029;
    if (!breaks) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(begin, end - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return list_of(context, lines);
}

Value replaced(Context& context, std::string_view text, std::string_view old_part,
               std::string_view new_part, int64_t most) {
  context.read(text.size());
  std::string out;
  size_t at = 0;
  const auto take = [&](std::string_view part) {
    context.make(part.size());
    out += part;
  };
  for (int64_t done = 0; most < 0 || done < most; ++done) {
    if (old_part.empty()) {  // before each character and at the end
      take(new_part);
      if (at == text.size()) return Value(std::move(out));
      const size_t begin = at;
      unicode::next(text, at);
      take(text.substr(begin, at - begin));
      continue;
    }
    const size_t found = text.find(old_part, at);
    if (found == std::string_view::npos) break;
    context.spend();
    take(text.substr(at, found - at));
    take(new_part);
    at = found + old_part.size();
  }
  take(text.substr(at));
  return Value(std::move(out));
}

bool consists_of(Context& context, std::string_view text, char kind) {
  bool has_letters = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t wide = unicode::next(text, at);
    if (kind == 's') {
      if (!python::is_space(wide)) return false;
      continue;
    }
    if (wide >= 0x80 && (unicode::is_word(wide) || unicode::is_numeric(wide)))
      context.refuse(
          "expected a text of ASCII to look at the kind of its characters, found another");
    const char c = wide < 0x80 ? static_cast<char>(wide) : '-';
    const bool is_letter = is_lower(c) || is_upper(c);
    has_letters |= is_letter;
    if (kind == 'a' && !is_letter) return false;
    if (kind == 'd' && !is_digit(c)) return false;
    if (kind == 'n' && !is_letter && !is_digit(c)) return false;
    if (kind == 'l' && is_upper(c)) return false;
    if (kind == 'u' && is_lower(c)) return false;
  }
  return kind == 'l' || kind == 'u' ? has_letters : !text.empty();
}

}  // namespace xkde::jinja
