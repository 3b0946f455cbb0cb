#include "core/text/tokenizer/byte_alphabet.h"

#include <array>

#include "core/text/regex/unicode.h"

namespace xkde::byte_alphabet {
namespace {

constexpr size_t kBytes = 256;
constexpr char32_t kFirstSubstitute = 0x100;

struct Tables {
  std::array<std::string, kBytes> spelling;
  std::array<int, kFirstSubstitute + kBytes> byte_of{};

  Tables() {
    byte_of.fill(-1);
    char32_t substitute = kFirstSubstitute;
    for (char32_t byte = 0; byte < kBytes; ++byte) {
      const bool prints =
          (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const char32_t character = prints ? byte : substitute++;
      unicode::append(spelling[byte], character);
      byte_of[character] = static_cast<int>(byte);
    }
  }
};

const Tables& tables() {
  static const Tables instance;
  return instance;
}

}  // namespace

std::string spell(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() + bytes.size() / 4);
  for (const char byte : bytes) text += tables().spelling[static_cast<unsigned char>(byte)];
  return text;
}

std::optional<std::string> unspell(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const char32_t character = unicode::next(text, i);
    if (character >= tables().byte_of.size() || tables().byte_of[character] < 0)
      return std::nullopt;
    bytes.push_back(static_cast<char>(tables().byte_of[character]));
  }
  return bytes;
}

}  // namespace xkde::byte_alphabet
