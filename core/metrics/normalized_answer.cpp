#include "core/metrics/normalized_answer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <vector>

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "core/metrics/answer_overlap.h"
#include "core/text/regex/unicode.h"

namespace xkde {

namespace {

bool is_punctuation_or_symbol(UChar32 c) {
  return (U_GET_GC_MASK(c) & (U_GC_P_MASK | U_GC_S_MASK)) != 0;
}

struct Articles {
  std::string_view iso;
  std::initializer_list<std::string_view> words;
};

bool is_article(std::string_view word, std::string_view iso) {
  static const std::array<Articles, 6> kArticles{{
      {"en", {"a", "an", "the"}},
      {"de",
       {"der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer",
        "eines"}},
      {"nl", {"de", "het", "een"}},
      {"es", {"el", "la", "los", "las", "un", "una", "unos", "unas"}},
      {"fr", {"le", "la", "les", "l", "un", "une", "des"}},
      {"pt", {"o", "a", "os", "as", "um", "uma", "uns", "umas"}},
  }};
  return std::any_of(kArticles.begin(), kArticles.end(), [&](const Articles& of_language) {
    return of_language.iso == iso && std::find(of_language.words.begin(), of_language.words.end(),
                                               word) != of_language.words.end();
  });
}

/// Lower case, ASCII digits, and one blank for whatever stands between words.
std::string words_of(std::string_view answer, std::string_view iso) {
  icu::UnicodeString text =
      icu::UnicodeString::fromUTF8(unicode::nfkc(unicode::replace_ill_formed(answer)));
  text.toLower(icu::Locale(std::string(iso).c_str()));
  icu::UnicodeString plain;
  bool is_between = false;
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const UChar32 c = text.char32At(i);
    if (u_isUWhiteSpace(c) != 0 || is_punctuation_or_symbol(c)) {
      is_between = true;
      continue;
    }
    // Joiners and marks of direction are no part of a word.
    if (u_charType(c) == U_FORMAT_CHAR) continue;
    if (is_between && !plain.isEmpty()) plain.append(static_cast<UChar32>(' '));
    is_between = false;
    const int32_t digit = u_charDigitValue(c);
    plain.append(digit >= 0 && u_isdigit(c) != 0 ? static_cast<UChar32>('0' + digit) : c);
  }
  std::string utf8;
  plain.toUTF8String(utf8);
  return utf8;
}

/// The words of a normalised text.
std::vector<std::string_view> split_words(std::string_view text, std::string_view iso) {
  std::vector<std::string_view> words;
  const bool by_character = !parts_words(iso);
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    if (by_character) {
      unicode::next(text, i);
    } else {
      i = std::min(text.find(' ', i), text.size());
    }
    const std::string_view word = text.substr(begin, i - begin);
    if (word != " ") words.push_back(word);
    if (!by_character) ++i;
  }
  return words;
}

}  // namespace

bool parts_words(std::string_view iso) { return iso != "zh" && iso != "th" && iso != "ja"; }

std::string normalized_answer(std::string_view answer, std::string_view iso) {
  std::string text = words_of(answer, iso);
  if (iso == "zh" || iso == "th") {
    std::erase(text, ' ');
    return text;
  }
  const size_t blank = text.find(' ');
  if (blank != std::string::npos && is_article(std::string_view(text).substr(0, blank), iso))
    text.erase(0, blank + 1);
  return text;
}

bool matches_any(std::string_view answer, std::span<const std::string> right,
                 std::string_view iso) {
  const std::string said = normalized_answer(answer, iso);
  return !said.empty() && std::any_of(right.begin(), right.end(), [&](const std::string& one) {
    return normalized_answer(one, iso) == said;
  });
}

bool contains_any(std::string_view answer, std::span<const std::string> right,
                  std::string_view iso) {
  const auto framed = [iso](std::string_view text) {
    const std::string normal = normalized_answer(text, iso);
    return normal.empty() || !parts_words(iso) ? normal : " " + normal + " ";
  };
  const std::string said = framed(answer);
  return std::any_of(right.begin(), right.end(), [&](const std::string& one) {
    const std::string wanted = framed(one);
    return !wanted.empty() && said.find(wanted) != std::string::npos;
  });
}

double word_f1(std::string_view answer, std::string_view right, std::string_view iso) {
  const std::string said = normalized_answer(answer, iso), wanted = normalized_answer(right, iso);
  const auto ours = split_words(said, iso), theirs = split_words(wanted, iso);
  // Words are numbered, so that answer_f1() can count them.
  std::map<std::string_view, int64_t> numbers;
  const auto ids = [&numbers](const std::vector<std::string_view>& words) {
    std::vector<int64_t> all;
    for (const std::string_view word : words)
      all.push_back(numbers.emplace(word, std::ssize(numbers)).first->second);
    return all;
  };
  return answer_f1(ids(ours), ids(theirs), F1Formula::kHarmonic);
}

}  // namespace xkde
