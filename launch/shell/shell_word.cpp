#include "launch/shell/shell_word.h"

#include <algorithm>
#include <cctype>

namespace xkde {
namespace {

/// Whether a shell sees no more in it than a letter.
bool is_plain_letter(char letter) {
  constexpr std::string_view kPlain = "_/.-=,+:@%";
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 ||
         kPlain.find(letter) != kPlain.npos;
}

}  // namespace

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'') {
      out += "'\\''";
    } else {
      out += letter;
    }
  }
  return out + "'";
}

std::string shell_word(std::string_view text) {
  const bool is_plain = !text.empty() && std::all_of(text.begin(), text.end(), is_plain_letter);
  return is_plain ? std::string(text) : shell_quoted(text);
}

}  // namespace xkde
