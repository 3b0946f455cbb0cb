#ifndef XKDE_CORE_METRICS_FLUENCY_H_
#define XKDE_CORE_METRICS_FLUENCY_H_

#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// A generated text as EasyEdit measures it (protocol 6.5): compatibility decomposition (NFKD), two
/// line feeds become a blank, "<|endoftext|>" goes. Ill-formed UTF-8 is replaced first.
std::string fluency_text(std::string_view generated);

/// (2/3 H_2 + 4/3 H_3) / 2, H_n the entropy in bits of the text's n-grams of words. A length
/// that has no n-gram adds 0.
double ngram_entropy(const std::vector<std::string>& words);
/// Of word_tokenize(text).
double ngram_entropy(std::string_view text);

}  // namespace xkde

#endif  // XKDE_CORE_METRICS_FLUENCY_H_
