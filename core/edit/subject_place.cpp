#include "core/edit/subject_place.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/uscript.h>

#include "core/base/error.h"
#include "core/metrics/normalized_answer.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

/// A character as it is compared, and the bytes of the text that it was made of. Characters that
/// were made together share their bytes.
struct Letter {
  char32_t character = 0;
  size_t begin = 0, end = 0;
};
using Letters = std::vector<Letter>;

char32_t character_before(std::string_view text, size_t position) {
  do --position;
  while ((static_cast<unsigned char>(text[position]) & 0xc0U) == 0x80U);
  return unicode::next(text, position);
}

char32_t character_at(std::string_view text, size_t position) {
  return unicode::next(text, position);
}

/// Whether a word goes on over `position`, between two characters.
bool is_inside_word(std::string_view text, size_t position) {
  return position > 0 && position < text.size() &&
         unicode::is_word(character_before(text, position)) &&
         unicode::is_word(character_at(text, position));
}

/// Whether the character's script writes words without blanks between them.
bool is_unparted(char32_t character) {
  static constexpr std::array kScripts{USCRIPT_HAN,      USCRIPT_HIRAGANA, USCRIPT_KATAKANA,
                                       USCRIPT_BOPOMOFO, USCRIPT_THAI,     USCRIPT_LAO,
                                       USCRIPT_KHMER,    USCRIPT_MYANMAR};
  return std::any_of(kScripts.begin(), kScripts.end(), [character](UScriptCode script) {
    return uscript_hasScript(static_cast<UChar32>(character), script) != 0;
  });
}

/// Whether a subject that ends or begins at `position` would be a piece of a word or of a letter.
bool is_cut(std::string_view text, size_t position, const Language& language) {
  if (!is_inside_word(text, position)) return false;
  if (parts_words(language.iso)) return true;
  const char32_t after = character_at(text, position);
  if (unicode::is_mark(after)) return true;
  return !is_unparted(after) && !is_unparted(character_before(text, position));
}

icu::UnicodeString case_folded(icu::UnicodeString text, const Language& language) {
  const bool has_dotless_i = language.iso == "tr" || language.iso == "az";
  return text.foldCase(has_dotless_i ? U_FOLD_CASE_EXCLUDE_SPECIAL_I : U_FOLD_CASE_DEFAULT);
}

Letters in_one_case(std::string_view text, const Language& language) {
  Letters letters;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const auto character = static_cast<UChar32>(unicode::next(text, at));
    const icu::UnicodeString folded = case_folded(icu::UnicodeString(character), language);
    for (int32_t i = 0; i < folded.length(); i = folded.moveIndex32(i, 1))
      letters.push_back({static_cast<char32_t>(folded.char32At(i)), begin, at});
  }
  return letters;
}

/// One of each kind of mark that typography has many of.
char32_t plain_mark(char32_t character) {
  constexpr std::u32string_view kApostrophes = U"\u2018\u2019\u201b\u02b9\u02bb\u02bc\u2032`\u00b4";
  constexpr std::u32string_view kQuotes =
      U"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u300a\u300b\u300c\u300d\u300e\u300f";
  constexpr std::u32string_view kHyphens = U"\u2010\u2011\u2012\u2013\u2014\u2015\u2212";
  const auto is_one_of = [character](std::u32string_view set) {
    return set.find(character) != std::u32string_view::npos;
  };
  if (is_one_of(kApostrophes)) return U'\'';
  if (is_one_of(kQuotes)) return U'"';
  return is_one_of(kHyphens) ? U'-' : character;
}

const icu::Normalizer2& compatibility_composition() {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* form = icu::Normalizer2::getNFKCInstance(status);
  XKDE_CHECK(U_SUCCESS(status), InternalError, "ICU: no NFKC: ", u_errorName(status));
  return *form;
}

icu::UnicodeString composed(const icu::UnicodeString& text) {
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeString result = compatibility_composition().normalize(text, status);
  XKDE_CHECK(U_SUCCESS(status), InternalError, "ICU: NFKC: ", u_errorName(status));
  return result;
}

/// One spelling of what the writers of a text may spell otherwise; no outer blanks.
Letters in_one_spelling(std::string_view text, const Language& language) {
  Letters letters;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    icu::UnicodeString part;  // a character with all that may melt into it
    do part.append(static_cast<UChar32>(plain_mark(unicode::next(text, at))));
    while (at < text.size() && compatibility_composition().hasBoundaryBefore(
                                   static_cast<UChar32>(character_at(text, at))) == 0);
    part = composed(case_folded(composed(part), language));
    for (int32_t i = 0; i < part.length(); i = part.moveIndex32(i, 1)) {
      const UChar32 character = part.char32At(i);
      if (u_charType(character) == U_FORMAT_CHAR) continue;
      if (u_isUWhiteSpace(character) == 0) {
        letters.push_back({static_cast<char32_t>(character), begin, at});
      } else if (!letters.empty() && letters.back().character == U' ') {
        letters.back().end = at;
      } else if (!letters.empty()) {
        letters.push_back({U' ', begin, at});
      }
    }
  }
  if (!letters.empty() && letters.back().character == U' ') letters.pop_back();
  return letters;
}

Letters without_blanks(Letters letters) {
  std::erase_if(letters, [](const Letter& one) { return one.character == U' '; });
  return letters;
}

bool are_alike(std::span<const Letter> a, std::span<const Letter> b) {
  return std::ranges::equal(a, b, {}, &Letter::character, &Letter::character);
}

/// The first place where `part` stands in `whole` and cuts no word of `text`.
std::optional<SubjectPlace> find_letters(std::string_view text, const Letters& whole,
                                         const Letters& part, const Language& language,
                                         SubjectMatch match) {
  if (part.empty()) return std::nullopt;
  for (auto at = whole.begin();; ++at) {
    at = std::ranges::search(std::ranges::subrange(at, whole.end()), part, {}, &Letter::character,
                             &Letter::character)
             .begin();
    if (at == whole.end()) return std::nullopt;
    const auto after = at + std::ssize(part);
    const SubjectPlace place{at->begin, std::prev(after)->end, match};
    const bool cuts_letter = (at != whole.begin() && std::prev(at)->end > place.begin) ||
                             (after != whole.end() && after->begin < place.end);
    if (!cuts_letter && !is_cut(text, place.begin, language) && !is_cut(text, place.end, language))
      return place;
  }
}

/// Letters [begin, end) without anything between words in them.
struct LetterRange {
  size_t begin = 0, end = 0;
  std::span<const Letter> of(const Letters& letters) const {
    return std::span(letters).subspan(begin, end - begin);
  }
};

std::vector<LetterRange> word_ranges(const Letters& letters) {
  std::vector<LetterRange> words;
  for (size_t i = 0; i < letters.size(); ++i) {
    if (!unicode::is_word(letters[i].character)) continue;
    if (words.empty() || words.back().end != i) words.push_back({i, i});
    words.back().end = i + 1;
  }
  return words;
}

size_t letters_in(std::span<const Letter> word) {
  size_t count = 0;
  for (const Letter& one : word) {
    constexpr char32_t kFirst = 0xAC00, kLast = 0xD7A3, kFinals = 28;
    const bool is_hangul = one.character >= kFirst && one.character <= kLast;
    count += is_hangul ? ((one.character - kFirst) % kFinals == 0 ? 2 : 3) : 1;
  }
  return count;
}

/// The least that two words must begin with alike to be forms of one: letters, and percent of the
/// longer.
struct LeastStem {
  size_t letters = 0, percent = 0;
};
constexpr LeastStem kOfWord{3, 60};
/// A word alone is easily another one that begins like it.
constexpr LeastStem kOfOnlyWord{4, 75};

bool begins_with(std::span<const Letter> word, std::span<const Letter> beginning) {
  return word.size() >= beginning.size() && are_alike(word.first(beginning.size()), beginning);
}

/// How many letters two words begin with alike; 0 where these are less than `least`.
size_t shared_stem(std::span<const Letter> a, std::span<const Letter> b, LeastStem least) {
  constexpr size_t kAll = 100;
  if (are_alike(a, b)) return letters_in(a);
  const auto has_digit = [](std::span<const Letter> word) {
    return std::ranges::any_of(
        word, [](const Letter& one) { return unicode::is_numeric(one.character); });
  };
  if (has_digit(a) || has_digit(b)) return 0;
  const auto ends = std::ranges::mismatch(a, b, {}, &Letter::character, &Letter::character);
  const size_t shared = letters_in(a.first(static_cast<size_t>(ends.in1 - a.begin())));
  const bool is_stem = shared >= least.letters &&
                       kAll * shared >= least.percent * std::max(letters_in(a), letters_in(b));
  return is_stem ? shared : 0;
}

/// From the first word to the last one; all of it where the words are too short to be told by them.
Letters without_outer_marks(const Letters& letters) {
  constexpr size_t kLeast = 3;
  const std::vector<LetterRange> words = word_ranges(letters);
  size_t count = 0;
  for (const LetterRange& word : words) count += letters_in(word.of(letters));
  if (count < kLeast) return letters;
  const LetterRange inner{words.front().begin, words.back().end};
  return {inner.of(letters).begin(), inner.of(letters).end()};
}

/// Finds a subject in the forms that its words take in a sentence.
class InflectedSubject {
 public:
  InflectedSubject(const Letters& prompt, const Letters& subject)
      : prompt_(prompt),
        subject_(subject),
        places_(word_ranges(prompt)),
        words_(word_ranges(subject)) {
    const auto has_ending = [&subject](const LetterRange& word) {
      return letters_in(word.of(subject)) >= kOfWord.letters;
    };
    has_several_ = std::ranges::count_if(words_, has_ending) > 1;
  }

  std::optional<SubjectPlace> find() const {
    size_t best = 0, first = 0;
    for (size_t i = 0; !words_.empty() && i + words_.size() <= places_.size(); ++i) {
      const size_t shared = shared_from(i);
      if (shared > best) first = i;
      best = std::max(best, shared);
    }
    return best > 0 ? std::optional(place_from(first)) : std::nullopt;
  }

 private:
  LeastStem least(std::span<const Letter> own, std::span<const Letter> there) const {
    return has_several_ || begins_with(there, own) ? kOfWord : kOfOnlyWord;
  }

  std::span<const Letter> word(size_t i) const { return words_[i].of(subject_); }

  /// Letters that the subject shares with the words from the first-th on; 0: they are no forms of
  /// it.
  size_t shared_from(size_t first) const {
    size_t sum = 0;
    bool differs = false;
    for (size_t i = 0; i < words_.size(); ++i) {
      const std::span<const Letter> there_word = places_[first + i].of(prompt_);
      const size_t shared = shared_stem(word(i), there_word, least(word(i), there_word));
      if (shared == 0) return 0;
      sum += shared;
      differs |= !are_alike(word(i), there_word);
      if (i == 0) continue;
      const LetterRange between{words_[i - 1].end, words_[i].begin};
      const LetterRange there{places_[first + i - 1].end, places_[first + i].begin};
      if (!are_alike(between.of(subject_), there.of(prompt_))) return 0;
    }
    return differs ? sum : 0;
  }

  SubjectPlace place_from(size_t first) const {
    const size_t last = words_.size() - 1;
    size_t begin = places_[first].begin, end = places_[first + last].end;
    bool only_last_differs = true;
    for (size_t i = 0; i < last; ++i)
      only_last_differs &= are_alike(word(i), places_[first + i].of(prompt_));
    const std::span<const Letter> own = word(last), there = places_[first + last].of(prompt_);
    if (only_last_differs && begins_with(there, own) && there.size() > own.size()) {
      end = places_[first + last].begin + own.size();
    } else {
      end += marks_behind(end);
    }
    begin -= marks_before(begin);
    return {prompt_[begin].begin, prompt_[end - 1].end, SubjectMatch::kInflected};
  }

  /// Letters of what is no word before the subject, where the prompt has them too before `begin`.
  size_t marks_before(size_t begin) const {
    const LetterRange marks{0, words_.front().begin};
    if (marks.end > begin) return 0;
    const LetterRange there{begin - marks.end, begin};
    return are_alike(marks.of(subject_), there.of(prompt_)) ? marks.end : 0;
  }

  size_t marks_behind(size_t end) const {
    const LetterRange marks{words_.back().end, subject_.size()};
    const size_t count = marks.end - marks.begin;
    if (end + count > prompt_.size()) return 0;
    const LetterRange there{end, end + count};
    return are_alike(marks.of(subject_), there.of(prompt_)) ? count : 0;
  }

  const Letters& prompt_;
  const Letters& subject_;
  std::vector<LetterRange> places_, words_;
  bool has_several_ = false;  ///< words that are long enough for an ending
};

std::optional<SubjectPlace> find_exact(std::string_view prompt, std::string_view subject,
                                       const Language& language) {
  size_t at = find_whole(prompt, subject, language);
  for (; at != std::string_view::npos; at = find_whole(prompt, subject, language, at + 1)) {
    const size_t end = at + subject.size();
    if (!is_cut(prompt, at, language) && !is_cut(prompt, end, language))
      return SubjectPlace{at, end, SubjectMatch::kExact};
  }
  return std::nullopt;
}

}  // namespace

size_t find_whole(std::string_view text, std::string_view part, const Language& language,
                  size_t from) {
  const bool parts = parts_words(language.iso);
  size_t at = text.find(part, from);
  while (at != std::string_view::npos && parts &&
         (is_inside_word(text, at) || is_inside_word(text, at + part.size())))
    at = text.find(part, at + 1);
  return at;
}

std::optional<SubjectPlace> find_subject(std::string_view prompt, std::string_view subject,
                                         const Language& language) {
  for (const auto& [name, text] : {std::pair("prompt", prompt), std::pair("subject", subject)}) {
    const size_t invalid = unicode::first_invalid_byte(text);
    XKDE_CHECK(invalid == std::string_view::npos, DataError, name,
               ": expected UTF-8, found other bytes at offset ", invalid);
  }
  subject = unicode::strip(subject);
  if (subject.empty()) return std::nullopt;
  if (const auto place = find_exact(prompt, subject, language)) return place;
  if (const auto place =
          find_letters(prompt, in_one_case(prompt, language), in_one_case(subject, language),
                       language, SubjectMatch::kOtherCase))
    return place;
  const Letters there = in_one_spelling(prompt, language);
  const Letters own = in_one_spelling(subject, language);
  for (const Letters& spelled : {own, without_outer_marks(own)}) {
    if (const auto place =
            find_letters(prompt, there, spelled, language, SubjectMatch::kOtherSpelling))
      return place;
  }
  if (const auto place = find_letters(prompt, without_blanks(there), without_blanks(own), language,
                                      SubjectMatch::kWithoutBlanks))
    return place;
  if (!parts_words(language.iso)) return std::nullopt;
  return InflectedSubject(there, own).find();
}

}  // namespace xkde
