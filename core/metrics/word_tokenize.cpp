#include "core/metrics/word_tokenize.h"

#include <array>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "core/metrics/sentence_split.h"
#include "core/metrics/wide_text.h"

namespace xkde {

namespace {

using Text = std::u32string;
using View = std::u32string_view;

char32_t lower(char32_t c) { return c >= U'A' && c <= U'Z' ? c + 32 : c; }

/// Whether `text` goes on at `at` with `word`, ASCII case aside.
bool goes_on(View text, size_t at, View word) {
  if (text.size() < at + word.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (lower(text[at + i]) != word[i]) return false;
  }
  return true;
}

/// re.sub: `match(text, at, out)` says how many characters it takes from `at` on, 0 for none, and
/// appends what takes their place.
template <typename Match>
Text replace(const Text& text, const Match& match) {
  Text out;
  out.reserve(text.size() + 16);
  for (size_t at = 0; at < text.size();) {
    const size_t taken = match(View(text), at, out);
    if (taken == 0) out.push_back(text[at]);
    at += taken == 0 ? 1 : taken;
  }
  return out;
}

/// Blanks around each character of a set.
Text pad(const Text& text, View set) {
  return replace(text, [set](View all, size_t at, Text& out) -> size_t {
    if (!wide::is_one_of(all[at], set)) return 0;
    out.append({U' ', all[at], U' '});
    return 1;
  });
}

/// Blanks around each place of a text.
Text pad_text(const Text& text, View found, View put) {
  return replace(text, [=](View all, size_t at, Text& out) -> size_t {
    if (!all.substr(at).starts_with(found)) return 0;
    out.append(U" ").append(put).append(U" ");
    return found.size();
  });
}

/// Blanks around runs of at least `least` of one character.
Text pad_runs(const Text& text, char32_t one, size_t least) {
  return replace(text, [=](View all, size_t at, Text& out) -> size_t {
    size_t run = 0;
    while (at + run < all.size() && all[at + run] == one) ++run;
    if (run < least) return 0;
    out.append(U" ").append(run, one).append(U" ");
    return run;
  });
}

Text starting_quotes(Text text) {
  text = pad(text, U"«“‘„");
  text = pad_runs(text, U'`', 1);
  if (text.starts_with(U'"')) text.replace(0, 1, U"``");
  text = pad_text(text, U"``", U"``");
  text = replace(text, [](View all, size_t at, Text& out) -> size_t {
    if (!wide::is_one_of(all[at], U" ([{<")) return 0;
    const View rest = all.substr(at + 1);
    const size_t quote = rest.starts_with(U'"') ? 1 : rest.starts_with(U"''") ? 2 : 0;
    if (quote == 0) return 0;
    out.append({all[at]}).append(U" `` ");
    return 1 + quote;
  });
  return replace(text, [](View all, size_t at, Text& out) -> size_t {
    if (all[at] != U'\'' || at + 1 >= all.size() || !wide::is_word(all[at + 1])) return 0;
    if (at + 2 < all.size() && wide::is_word(all[at + 2])) return 0;
    for (const View clitic : {View(U"re"), View(U"ve"), View(U"ll"), View(U"m"), View(U"t"),
                              View(U"s"), View(U"d"), View(U"n")}) {
      if (goes_on(all, at + 1, clitic)) return 0;
    }
    out.append({U'\'', U' ', all[at + 1]});
    return 2;
  });
}

/// The last period of the text, with what may close it behind: `closing` set off by a blank or not.
Text final_period(const Text& text, View closing_set, bool sets_closing_off) {
  size_t end = text.size();
  while (end > 0 && wide::is_space(text[end - 1])) --end;
  size_t dot = end;
  while (dot > 0 && wide::is_one_of(text[dot - 1], closing_set)) --dot;
  if (dot < 2 || text[dot - 1] != U'.' || text[dot - 2] == U'.') return text;
  size_t closing_end = dot;
  while (closing_end < text.size() && wide::is_one_of(text[closing_end], closing_set))
    ++closing_end;
  Text out = text.substr(0, dot - 1);
  out.append(U" .");
  if (sets_closing_off) out.append(U" ");
  return out.append(text, dot, closing_end - dot).append(U" ");
}

Text punctuation(Text text) {
  text = final_period(text, U"])}>\"'»”’ ", true);
  text = replace(text, [](View all, size_t at, Text& out) -> size_t {
    const bool is_match =
        wide::is_one_of(all[at], U":,") && at + 1 < all.size() && !wide::is_digit(all[at + 1]);
    if (!is_match) return 0;
    out.append({U' ', all[at], U' ', all[at + 1]});
    return 2;
  });
  const size_t before_feed = text.ends_with(U'\n') ? 2 : 1;
  if (text.size() >= before_feed && wide::is_one_of(text[text.size() - before_feed], U":,")) {
    const size_t at = text.size() - before_feed;
    text.replace(at, 1, {U' ', text[at], U' '});
  }
  text = pad_runs(text, U'.', 2);
  text = pad(text, U";@#$%&");
  text = final_period(text, U"])}>\"'", false);
  text = pad(text, U"?!");
  text = replace(text, [](View all, size_t at, Text& out) -> size_t {
    if (all[at] == U'\'' || all.substr(at + 1, 2) != U"' ") return 0;
    out.append({all[at]}).append(U" ' ");
    return 3;
  });
  return pad(text, U"*");
}

/// "x's " to "x 's ": clitics behind a character that is no quote or blank.
Text split_clitics(const Text& text, std::initializer_list<View> clitics) {
  return replace(text, [&clitics](View all, size_t at, Text& out) -> size_t {
    if (all[at] == U'\'' || all[at] == U' ') return 0;
    for (const View clitic : clitics) {
      const View rest = all.substr(at + 1);
      if (!rest.starts_with(clitic) || rest.substr(clitic.size(), 1) != U" ") continue;
      out.append({all[at], U' '}).append(clitic).append(U" ");
      return 1 + clitic.size() + 1;
    }
    return 0;
  });
}

Text ending_quotes(Text text) {
  text = pad(text, U"»”’");
  text = pad_text(text, U"''", U"''");
  text = pad_text(text, U"\"", U"''");
  text = replace(text, [](View all, size_t at, Text& out) -> size_t {
    size_t run = 0;
    while (at + run < all.size() && wide::is_space(all[at + run])) ++run;
    if (run > 0) out.push_back(U' ');
    return run;
  });
  text = split_clitics(text, {U"'s", U"'S", U"'m", U"'M", U"'d", U"'D", U"'"});
  return split_clitics(text, {U"'ll", U"'LL", U"'re", U"'RE", U"'ve", U"'VE", U"n't", U"N'T"});
}

struct Contraction {
  View first, second;
  bool before_blank = false;  ///< only with a blank behind
  bool after_blank = false;   ///< only with a blank before, which goes
};

/// MacIntyre's list.
constexpr std::array<Contraction, 10> kContractions{{{U"can", U"not"},
                                                     {U"d", U"'ye"},
                                                     {U"gim", U"me"},
                                                     {U"gon", U"na"},
                                                     {U"got", U"ta"},
                                                     {U"lem", U"me"},
                                                     {U"more", U"'n"},
                                                     {U"wan", U"na", true},
                                                     {U"'t", U"is", false, true},
                                                     {U"'t", U"was", false, true}}};

Text split_contractions(Text text) {
  for (const Contraction& one : kContractions) {
    text = replace(text, [&one](View all, size_t at, Text& out) -> size_t {
      const size_t first = one.after_blank ? at + 1 : at;
      const size_t second = first + one.first.size();
      const size_t end = second + one.second.size();
      if (one.after_blank ? all[at] != U' ' : at > 0 && wide::is_word(all[at - 1])) return 0;
      if (!goes_on(all, first, one.first) || !goes_on(all, second, one.second)) return 0;
      if (end < all.size() && wide::is_word(all[end])) return 0;
      if (one.before_blank && (end >= all.size() || !wide::is_space(all[end]))) return 0;
      out.append(U" ").append(all.substr(first, one.first.size())).append(U" ");
      out.append(all.substr(second, one.second.size())).append(U" ");
      return end - at;
    });
  }
  return text;
}

std::vector<std::string> split_at_spaces(View text) {
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    if (wide::is_space(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && !wide::is_space(text[end])) ++end;
    words.push_back(wide::to_utf8(text.substr(at, end - at)));
    at = end;
  }
  return words;
}

}  // namespace

std::vector<std::string> treebank_words(std::string_view sentence) {
  Text text = punctuation(starting_quotes(wide::from_utf8(sentence)));
  text = pad(text, U"][(){}<>");
  text = pad_text(text, U"--", U"--");
  text = ending_quotes(U" " + text + U" ");
  return split_at_spaces(split_contractions(std::move(text)));
}

std::vector<std::string> word_tokenize(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string& sentence : split_sentences(text)) {
    std::vector<std::string> own = treebank_words(sentence);
    std::move(own.begin(), own.end(), std::back_inserter(words));
  }
  return words;
}

}  // namespace xkde
