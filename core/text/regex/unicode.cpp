#include "core/text/regex/unicode.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <utility>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include "core/base/error.h"
#include "core/text/regex/unicode_tables.h"

namespace xkde::unicode {
namespace {

struct Sequence {
  size_t length = 0;  ///< bytes of the character, or of the maximal ill-formed part
  bool well_formed = false;
};

/// Table 3-7 of the Unicode standard: the second byte's range depends on the first.
Sequence sequence_at(std::string_view text, size_t position) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const size_t wanted = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  for (size_t i = 1; i < wanted; ++i) {
    if (position + i >= text.size() || byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {wanted, true};
}

}  // namespace

size_t first_invalid_byte(std::string_view text) {
  for (size_t position = 0; position < text.size();) {
    const Sequence sequence = sequence_at(text, position);
    if (!sequence.well_formed) return position;
    position += sequence.length;
  }
  return std::string_view::npos;
}

char32_t next(std::string_view text, size_t& position) {
  const auto byte = [&](size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[position + i]));
  };
  const char32_t lead = byte(0);
  char32_t character = lead;
  size_t size = 1;
  if (lead >= 0xF0) {
    character =
        (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    size = 4;
  } else if (lead >= 0xE0) {
    character = (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    size = 3;
  } else if (lead >= 0xC0) {
    character = (lead & 0x1F) << 6 | (byte(1) & 0x3F);
    size = 2;
  }
  position += size;
  return character;
}

size_t length(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void append(std::string& text, char32_t character) {
  const auto push = [&](char32_t value) { text.push_back(static_cast<char>(value)); };
  if (character < 0x80) {
    push(character);
  } else if (character < 0x800) {
    push(0xC0 | character >> 6);
    push(0x80 | (character & 0x3F));
  } else if (character < 0x10000) {
    push(0xE0 | character >> 12);
    push(0x80 | (character >> 6 & 0x3F));
    push(0x80 | (character & 0x3F));
  } else {
    push(0xF0 | character >> 18);
    push(0x80 | (character >> 12 & 0x3F));
    push(0x80 | (character >> 6 & 0x3F));
    push(0x80 | (character & 0x3F));
  }
}

std::string replace_ill_formed(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (size_t position = 0; position < bytes.size();) {
    const Sequence sequence = sequence_at(bytes, position);
    if (sequence.well_formed) {
      text.append(bytes.substr(position, sequence.length));
    } else {
      append(text, 0xFFFD);
    }
    position += sequence.length;
  }
  return text;
}

namespace {
UChar32 icu(char32_t character) { return static_cast<UChar32>(character); }
bool in_categories(char32_t character, uint32_t mask) {
  return (U_GET_GC_MASK(icu(character)) & mask) != 0;
}

/// Parts of the library follow old Unicode versions; newer characters have no properties there.
bool is_older_than(char32_t character, uint8_t first_unknown_version) {
  UVersionInfo age{};
  u_charAge(icu(character), age);
  return age[0] > 0 && age[0] < first_unknown_version;
}

}  // namespace

bool is_whitespace(char32_t character) { return u_isUWhiteSpace(icu(character)) != 0; }

bool is_numeric(char32_t character) {
  const std::span<const Range> all = numerals();
  const auto after =
      std::upper_bound(all.begin(), all.end(), character,
                       [](char32_t one, const Range& range) { return one < range.first; });
  return after != all.begin() && character <= std::prev(after)->last;
}

namespace {

/// Bytes with which an addition may begin.
std::array<bool, 256> leads_of_additions() {
  std::array<bool, 256> leads{};
  for (const Addition& addition : additions()) {
    for (const char32_t end : {addition.first, addition.last}) {
      std::string text;
      append(text, end);
      leads[static_cast<unsigned char>(text.front())] = true;
    }
  }
  return leads;
}

const Addition* addition_at(std::string_view text, size_t position) {
  const char32_t character = next(text, position);
  const std::span<const Addition> all = additions();
  const auto after =
      std::upper_bound(all.begin(), all.end(), character,
                       [](char32_t one, const Addition& addition) { return one < addition.first; });
  if (after == all.begin() || character > std::prev(after)->last) return nullptr;
  return &*std::prev(after);
}

/// The first addition at or behind `position`, which it moves there; null where there is none.
const Addition* next_addition(std::string_view text, size_t& position) {
  static const std::array<bool, 256> kLeads = leads_of_additions();
  for (; position < text.size(); ++position) {
    if (!kLeads[static_cast<unsigned char>(text[position])]) continue;
    if (const Addition* found = addition_at(text, position)) return found;
  }
  return nullptr;
}

}  // namespace

bool has_additions(std::string_view text) {
  size_t position = 0;
  return next_addition(text, position) != nullptr;
}

std::string with_stand_ins(std::string_view text) {
  std::string result(text);
  size_t position = 0;
  while (const Addition* addition = next_addition(text, position)) {
    std::string other;
    append(other, addition->stand_in);
    result.replace(position, other.size(), other);
    position += other.size();
  }
  return result;
}

bool is_punctuation(char32_t character) {
  if (character < 0x80) {
    return (character >= 0x21 && character <= 0x2F) || (character >= 0x3A && character <= 0x40) ||
           (character >= 0x5B && character <= 0x60) || (character >= 0x7B && character <= 0x7E);
  }
  // As of Unicode 8; two characters have changed their category since.
  if (character == 0x166D || character == 0x111C9) return true;
  return in_categories(character, U_GC_P_MASK) && is_older_than(character, 9);
}

bool is_word(char32_t character) {
  return in_categories(character, U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK) ||
         u_hasBinaryProperty(icu(character), UCHAR_ALPHABETIC) != 0 ||
         u_hasBinaryProperty(icu(character), UCHAR_JOIN_CONTROL) != 0;
}

bool is_mark(char32_t character) {
  // As of Unicode 9; three characters have changed their category since.
  if (character == 0x111C9) return false;
  if (character == 0x1CF2 || character == 0x1CF3) return true;
  return in_categories(character, U_GC_M_MASK) && is_older_than(character, 10);
}

void append_lowercase(std::string& text, char32_t character) {
  if (character == 0x130) {
    text += "i\xCC\x87";  // the only character whose unconditional lower case is longer than itself
    return;
  }
  append(text, static_cast<char32_t>(u_tolower(icu(character))));
}

namespace {

std::string normalized(std::string_view text, const icu::Normalizer2* (*form)(UErrorCode&)) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = form(status);
  XKDE_CHECK(U_SUCCESS(status), InternalError, "ICU: ", u_errorName(status));
  XKDE_CHECK(first_invalid_byte(text) == std::string_view::npos, DataError,
             "text: expected UTF-8, found other bytes");
  XKDE_CHECK(std::in_range<int32_t>(text.size()), DataError, "text: expected less than 2 GiB");
  std::string result;
  icu::StringByteSink<std::string> sink(&result);
  normalizer->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())),
                            sink, nullptr, status);
  XKDE_CHECK(U_SUCCESS(status), DataError, "text: ", u_errorName(status));
  return result;
}

}  // namespace

std::string nfc(std::string_view text) {
  return normalized(text,
                    [](UErrorCode& status) { return icu::Normalizer2::getNFCInstance(status); });
}

std::string nfkc(std::string_view text) {
  return normalized(text,
                    [](UErrorCode& status) { return icu::Normalizer2::getNFKCInstance(status); });
}

std::string nfkd(std::string_view text) {
  return normalized(text,
                    [](UErrorCode& status) { return icu::Normalizer2::getNFKDInstance(status); });
}

namespace {

/// The bytes [begin, end) from the first to the last character that is no white space.
std::pair<size_t, size_t> inner_range(std::string_view text) {
  std::pair<size_t, size_t> range{text.size(), text.size()};
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    if (is_whitespace(next(text, at))) continue;
    range = {std::min(range.first, start), at};
  }
  return range;
}

}  // namespace

std::string_view strip(std::string_view text) {
  const auto [begin, end] = inner_range(text);
  return text.substr(begin, end - begin);
}

std::string_view strip_left(std::string_view text) { return text.substr(inner_range(text).first); }

}  // namespace xkde::unicode
