#ifndef XKDE_CORE_METRICS_SENTENCE_SPLIT_H_
#define XKDE_CORE_METRICS_SENTENCE_SPLIT_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// The sentences of an English text by the rules of Punkt (Kiss, Strunk 2006), as NLTK 3.9.1 writes
/// them. Punkt's published English parameters (abbreviations, sentence starters, collocations and
/// spellings counted on newspapers) are not part of this project: a list of abbreviations takes
/// their place, english_abbreviations(). Equal to NLTK's PunktSentenceTokenizer with that list for
/// `abbrev_types` and nothing else. `text` must be well-formed UTF-8.
std::vector<std::string> split_sentences(std::string_view text);

/// In lower case, without the last period: "dr", "e.g", "jan".
std::span<const std::string_view> english_abbreviations();

}  // namespace xkde

#endif  // XKDE_CORE_METRICS_SENTENCE_SPLIT_H_
