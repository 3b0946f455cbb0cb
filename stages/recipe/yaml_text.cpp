#include "stages/recipe/yaml_text.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

namespace xkde::recipe {
namespace {

bool is_continuation(char letter) { return (static_cast<unsigned char>(letter) & 0xC0U) == 0x80U; }

/// Bytes of the UTF-8 character that begins at `offset`, 0 when there is none.
size_t character_length(std::string_view text, size_t offset) {
  const auto byte = static_cast<unsigned char>(text[offset]);
  const size_t length = byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
  if (length == 1) return 1;
  if (byte < 0xC2 || byte > 0xF4 || offset + length > text.size()) return 0;
  uint32_t code = byte & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[offset + i])) return 0;
    code = code << 6 | (static_cast<unsigned char>(text[offset + i]) & 0x3FU);
  }
  const bool is_overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  return is_overlong || is_surrogate || code > 0x10FFFF ? 0 : length;
}

/// C0 controls but tab and line ends, DEL, C1 controls: a terminal would obey them.
bool is_control(std::string_view text, size_t offset) {
  const auto byte = static_cast<unsigned char>(text[offset]);
  if (byte == '\t' || byte == '\n') return false;
  if (byte == '\r') return offset + 1 >= text.size() || text[offset + 1] != '\n';
  if (byte < 0x20 || byte == 0x7F) return true;
  return byte == 0xC2 && static_cast<unsigned char>(text[offset + 1]) < 0xA0;
}

std::string byte_name(char letter) {
  return fmt::format("byte 0x{:02x}", static_cast<unsigned char>(letter));
}

/// Skips "&name " before a value.
size_t after_anchor(std::string_view text, size_t offset) {
  if (offset >= text.size() || text[offset] != '&') return offset;
  const size_t blank = text.find_first_of(" \t\r\n", offset);
  return std::min(text.find_first_not_of(" \t\r\n", blank), text.size());
}

}  // namespace

Place PlaceCounter::at(size_t offset) {
  offset = std::min(offset, text_.size());
  if (offset < offset_) {
    const size_t start = offset == 0 ? std::string_view::npos : text_.rfind('\n', offset - 1);
    const size_t line_start = start == std::string_view::npos ? 0 : start + 1;
    const auto lines = std::count(text_.begin() + static_cast<std::ptrdiff_t>(offset),
                                  text_.begin() + static_cast<std::ptrdiff_t>(offset_), '\n');
    place_ = {place_.line - static_cast<int>(lines), 1};
    offset_ = line_start;
  }
  for (; offset_ < offset; ++offset_) {
    if (text_[offset_] == '\n') {
      place_ = {place_.line + 1, 1};
    } else if (!is_continuation(text_[offset_])) {
      ++place_.column;
    }
  }
  return place_;
}

TextFault find_text_fault(std::string_view text) {
  bool in_indentation = true;
  size_t first_tab = std::string_view::npos;
  for (size_t i = 0; i < text.size();) {
    const size_t length = character_length(text, i);
    if (length == 0) return {i, "expected UTF-8 text, found " + byte_name(text[i])};
    if (is_control(text, i)) {
      const char shown = length == 2 ? text[i + 1] : text[i];
      return {i, "expected printable text, found the control character " + byte_name(shown)};
    }
    if (text[i] == '\n') {
      in_indentation = true;
      first_tab = std::string_view::npos;
    } else if (in_indentation && text[i] == '\t') {
      first_tab = std::min(first_tab, i);
    } else if (in_indentation && text[i] != ' ' && text[i] != '\r') {
      if (first_tab != std::string_view::npos)
        return {first_tab, "expected spaces as indentation, found a tab"};
      in_indentation = false;
    }
    i += length;
  }
  return {};
}

bool quotes_are_closed(std::string_view text, size_t offset) {
  offset = after_anchor(text, offset);
  if (offset >= text.size()) return true;
  const char quote = text[offset];
  if (quote != '"' && quote != '\'') return true;
  for (size_t i = offset + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != quote) return true;
      ++i;
    }
  }
  return false;
}

bool begins_with_tag(std::string_view text, size_t offset) {
  offset = after_anchor(text, offset);
  return offset < text.size() && text[offset] == '!';
}

}  // namespace xkde::recipe
