#ifndef XKDE_CORE_METRICS_NORMALIZED_ANSWER_H_
#define XKDE_CORE_METRICS_NORMALIZED_ANSWER_H_

#include <span>
#include <string>
#include <string_view>

namespace xkde {

/// An answer with what does not make another answer taken away, in the manner of SQuAD's script
/// (arXiv:1606.05250) for twelve languages; ours. Compatibility composition (NFKC: full-width
/// forms, ligatures), lower case by the language (Turkish i), punctuation and symbols to blanks,
/// decimal digits of any script to ASCII, a leading article off (en, de, nl, es, fr, pt), blanks
/// single. Chinese and Thai, which write none between words, lose all blanks. Accents stay. `iso`
/// is one of the languages of protocol 0.4. Ill-formed UTF-8 is replaced first.
std::string normalized_answer(std::string_view answer, std::string_view iso);

/// Whether the language parts words by blanks; Chinese, Thai and Japanese do not.
bool parts_words(std::string_view iso);

/// Whether `answer` is, normalised, one of `right`. Nothing is never right.
bool matches_any(std::string_view answer, std::span<const std::string> right, std::string_view iso);

/// Whether one of `right`, normalised, stands in `answer` as whole words; in Chinese, Thai and
/// Japanese, which part none, as any piece of it. Nothing is never right.
bool contains_any(std::string_view answer, std::span<const std::string> right,
                  std::string_view iso);

/// F1 of the words that both normalised texts have, in [0, 1], each counted as often as both have
/// it, as SQuAD's script (arXiv:1606.05250). In Chinese, Thai and Japanese each character is a
/// word. Two empty texts agree.
double word_f1(std::string_view answer, std::string_view right, std::string_view iso);

}  // namespace xkde

#endif  // XKDE_CORE_METRICS_NORMALIZED_ANSWER_H_
