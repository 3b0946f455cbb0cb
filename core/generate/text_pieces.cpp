#include "core/generate/text_pieces.h"

#include <algorithm>
#include <utility>

namespace xkde {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool begins_a_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

/// Bytes at the end of `text` with which `stop` begins.
size_t begun(std::string_view text, std::string_view stop) {
  size_t length = std::min(text.size(), stop.empty() ? 0 : stop.size() - 1);
  while (length > 0 && !text.ends_with(stop.substr(0, length))) --length;
  return length;
}

}  // namespace

TextPieces::TextPieces(std::vector<std::string> stop_texts) : stop_texts_(std::move(stop_texts)) {}

std::string TextPieces::grow(std::string_view text) {
  while (text.ends_with(kReplacement)) text.remove_suffix(kReplacement.size());
  size_t waiting = 0;
  for (const std::string& stop : stop_texts_) waiting = std::max(waiting, begun(text, stop));
  return piece(text.substr(0, text.size() - waiting));
}

std::string TextPieces::finish(std::string_view text) { return piece(text); }

std::string TextPieces::piece(std::string_view text) {
  // A decoder may spell bytes anew that turn out to be no character. What was shown stays.
  const auto [own, other] = std::mismatch(shown_.begin(), shown_.end(), text.begin(), text.end());
  auto common = static_cast<size_t>(own - shown_.begin());
  while (common > 0 && common < text.size() && !begins_a_character(text[common])) --common;
  if (text.size() <= common) return "";
  shown_ = text;
  return std::string(text.substr(common));
}

}  // namespace xkde
