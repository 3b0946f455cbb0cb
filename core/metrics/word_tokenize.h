#ifndef XKDE_CORE_METRICS_WORD_TOKENIZE_H_
#define XKDE_CORE_METRICS_WORD_TOKENIZE_H_

#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// Words and punctuation as NLTK's word_tokenize cuts them: sentences first (split_sentences), then
/// the rules of the Penn Treebank with NLTK's additions ("isn't" to "is n't", quotes to `` and '',
/// only the last period of a sentence stands alone). Equal to NLTK 3.9.1 but for what
/// split_sentences says. `text` must be well-formed UTF-8.
std::vector<std::string> word_tokenize(std::string_view text);
/// Of one sentence.
std::vector<std::string> treebank_words(std::string_view sentence);

}  // namespace xkde

#endif  // XKDE_CORE_METRICS_WORD_TOKENIZE_H_
