#include "core/metrics/sentence_split.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "core/metrics/wide_text.h"

namespace xkde {

namespace {

using Text = std::u32string;
using View = std::u32string_view;

constexpr View kSentenceEnds = U".?!";
constexpr View kNonWord = U")\";}]*:@'({[?!";
constexpr View kNoWordStart = U"(\"`{[:;&#*@)}]-,";
constexpr View kPunctuation = U";:,.!?";

// Sorted.
constexpr std::string_view kAbbreviations[] = {
    "a.d", "a.k.a", "a.m",   "adm",   "al",    "anon", "apr",  "apt",  "assn",  "aug",  "ave",
    "b.a", "b.c",   "b.c.e", "bldg",  "blvd",  "bros", "c",    "c.e",  "ca",    "capt", "cf",
    "ch",  "cmdr",  "co",    "col",   "corp",  "cpl",  "d.c",  "dec",  "dept",  "dir",  "dist",
    "div", "dr",    "e.g",   "ed",    "eds",   "esp",  "esq",  "est",  "et",    "etc",  "ext",
    "feb", "ff",    "fig",   "figs",  "fl",    "ft",   "gen",  "gov",  "hon",   "hosp", "hwy",
    "i.e", "ibid",  "inc",   "inst",  "jan",   "jr",   "jul",  "jun",  "km",    "l.a",  "lb",
    "lbs", "lt",    "ltd",   "m.a",   "m.d",   "maj",  "mar",  "mfg",  "mr",    "mrs",  "ms",
    "mt",  "n.b",   "n.y",   "nat",   "no",    "nos",  "nov",  "oct",  "op",    "oz",   "p",
    "p.m", "p.s",   "ph.d",  "phil",  "pl",    "pp",   "pres", "prof", "pt",    "pvt",  "rd",
    "rep", "repr",  "rev",   "rt",    "sci",   "sen",  "sep",  "sept", "sgt",   "sr",   "st",
    "ste", "supt",  "surg",  "trans", "treas", "u.k",  "u.n",  "u.s",  "u.s.a", "univ", "viz",
    "vol", "vols",  "vs"};

/// How many characters from `at` on are "--", "...", or ". . ."; 0 for none.
size_t multi_char_punctuation(View text, size_t at) {
  for (const char32_t one : {U'-', U'.'}) {
    size_t run = 0;
    while (at + run < text.size() && text[at + run] == one) ++run;
    if (run >= 2) return run;
  }
  size_t pairs = 0;
  while (at + 2 * pairs + 1 < text.size() && text[at + 2 * pairs] == U'.' &&
         wide::is_space(text[at + 2 * pairs + 1]))
    ++pairs;
  // The last period need not have a blank behind it, and the pairs before it are two at least.
  for (; pairs >= 2; --pairs) {
    if (at + 2 * pairs < text.size() && text[at + 2 * pairs] == U'.') return 2 * pairs + 1;
  }
  return 0;
}

bool ends_word_but_for_commas(View text, size_t at) {
  return at == text.size() || wide::is_space(text[at]) || wide::is_one_of(text[at], kNonWord) ||
         multi_char_punctuation(text, at) > 0;
}

bool ends_word(View text, size_t at) {
  return ends_word_but_for_commas(text, at) ||
         (text[at] == U',' && ends_word_but_for_commas(text, at + 1));
}

/// Punkt's words of a line: punctuation cut off, periods not.
std::vector<Text> words_of_line(View line) {
  std::vector<Text> words;
  for (size_t at = 0; at < line.size();) {
    if (wide::is_space(line[at])) {
      ++at;
      continue;
    }
    size_t length = multi_char_punctuation(line, at);
    if (length == 0) {
      length = 1;
      const bool is_word = !wide::is_one_of(line[at], kNoWordStart);
      while (is_word && !ends_word(line, at + length)) ++length;
    }
    words.emplace_back(line.substr(at, length));
    at += length;
  }
  return words;
}

std::vector<Text> words_of(View text) {
  std::vector<Text> words;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(U'\n', at), text.size());
    for (Text& word : words_of_line(text.substr(at, end - at))) words.push_back(std::move(word));
    at = end + 1;
  }
  return words;
}

bool is_abbreviation(View word) {
  const auto is_known = [](View part) {
    std::string lower;
    for (const char32_t c : part) unicode::append_lowercase(lower, c);
    const auto all = english_abbreviations();
    return std::binary_search(all.begin(), all.end(), std::string_view(lower));
  };
  const size_t hyphen = word.rfind(U'-');
  return is_known(word) || (hyphen != View::npos && is_known(word.substr(hyphen + 1)));
}

/// "-1,990.5.", "3."
bool is_number(View word) {
  size_t at = word.starts_with(U'-') ? 1 : 0;
  if (at < word.size() && (word[at] == U'.' || word[at] == U',')) ++at;
  if (at >= word.size() || !wide::is_digit(word[at])) return false;
  return std::all_of(word.begin() + static_cast<std::ptrdiff_t>(at), word.end(),
                     [](char32_t c) { return wide::is_digit(c) || wide::is_one_of(c, U",.-"); });
}

bool is_initial(View word) {
  return word.size() == 2 && word[1] == U'.' && wide::is_word(word[0]) && !wide::is_digit(word[0]);
}

/// Whether a word never begins a sentence, as far as its spelling tells.
bool is_no_beginning(View word) {
  if (word.size() == 1 && wide::is_one_of(word[0], kPunctuation)) return true;
  return u_isULowercase(static_cast<UChar32>(word[0])) != 0;
}

bool begins_upper(View word) { return u_isUUppercase(static_cast<UChar32>(word[0])) != 0; }

bool breaks_after(View word, const Text* next) {
  if (word.size() == 1 && wide::is_one_of(word[0], kSentenceEnds)) {
    // Only a period is looked at again, and a lone one is no initial and no number.
    return true;
  }
  if (!word.ends_with(U'.') || word.ends_with(U"..")) return false;
  if (is_abbreviation(word.substr(0, word.size() - 1))) return false;
  if (next == nullptr) return true;
  if (is_initial(word)) return !is_no_beginning(*next) && !begins_upper(*next);
  return !(is_number(word) && is_no_beginning(*next));
}

/// Whether a sentence ends in `context` and something follows.
bool contains_break(View context) {
  const std::vector<Text> words = words_of(context);
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (breaks_after(words[i], &words[i + 1])) return true;
  }
  return false;
}

/// A place where a sentence may end: one of ".?!" and what follows it.
struct Candidate {
  size_t end = 0;                   ///< behind the mark
  size_t after_end = 0;             ///< behind the token that follows
  std::optional<size_t> next_word;  ///< its beginning, where blanks come first
};

std::optional<Candidate> candidate_at(View text, size_t at) {
  if (!wide::is_one_of(text[at], kSentenceEnds) || at + 1 >= text.size()) return std::nullopt;
  if (wide::is_one_of(text[at + 1], kNonWord)) return Candidate{at + 1, at + 2, {}};
  size_t word = at + 1;
  while (word < text.size() && wide::is_space(text[word])) ++word;
  if (word == at + 1 || word == text.size()) return std::nullopt;
  size_t end = word;
  while (end < text.size() && !wide::is_space(text[end])) ++end;
  return Candidate{at + 1, end, word};
}

struct Slice {
  size_t begin = 0;
  size_t end = 0;
};

/// The end of each candidate's context is its own; it begins with the word before. Of candidates
/// whose words overlap the last one counts.
std::vector<Slice> slices_of(View text) {
  std::vector<Slice> slices;
  size_t last_break = 0;
  Slice before{0, 0};  // the word before the last candidate
  std::optional<Candidate> last;
  const auto decide = [&] {
    if (!contains_break(text.substr(before.begin, last->after_end - before.begin))) return;
    slices.push_back({last_break, last->end});
    last_break = last->next_word.value_or(last->end);
  };
  for (size_t at = 0; at < text.size(); ++at) {
    const std::optional<Candidate> found = candidate_at(text, at);
    if (!found) continue;
    const View between = text.substr(before.end, at - before.end);
    size_t space = 0;  // of the last blank; the very first place counts for none
    for (size_t i = 1; i < between.size(); ++i) {
      if (wide::is_one_of(between[i], U" \t\n\r\v\f")) space = i;
    }
    const size_t begin = space > 0 ? before.end + space + 1 : before.begin;
    if (last && before.end <= begin) decide();
    last = found;
    before = {begin, at};
  }
  if (last) decide();
  size_t end = text.size();
  while (end > 0 && wide::is_space(text[end - 1])) --end;
  slices.push_back({last_break, std::max(last_break, end)});
  return slices;
}

/// Closing quotes and brackets at the beginning of `text`, with the blanks behind them: they belong
/// to the sentence before. Lengths with and without those blanks.
std::pair<size_t, size_t> closing_marks(View text) {
  for (size_t n = 1; n <= text.size() && wide::is_one_of(text[n - 1], U"\"')]}"); ++n) {
    size_t end = n;
    while (end < text.size() && wide::is_space(text[end])) ++end;
    if (end > n || end == text.size() || text.substr(n).starts_with(U"--")) return {end, n};
  }
  return {0, 0};
}

}  // namespace

std::span<const std::string_view> english_abbreviations() { return kAbbreviations; }

std::vector<std::string> split_sentences(std::string_view utf8) {
  const Text text = wide::from_utf8(utf8);
  const std::vector<Slice> slices = slices_of(text);
  std::vector<std::string> sentences;
  const auto add = [&](size_t begin, size_t end) {
    if (begin < end) sentences.push_back(wide::to_utf8(View(text).substr(begin, end - begin)));
  };
  size_t moved = 0;
  for (size_t i = 0; i < slices.size(); ++i) {
    const size_t begin = slices[i].begin + moved;
    if (i + 1 == slices.size()) {
      add(begin, slices[i].end);
      break;
    }
    const Slice& next = slices[i + 1];
    const auto [with_blanks, marks] =
        closing_marks(View(text).substr(next.begin, next.end - next.begin));
    add(begin, marks > 0 ? next.begin + marks : slices[i].end);
    moved = with_blanks;
  }
  return sentences;
}

}  // namespace xkde
