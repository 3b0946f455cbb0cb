#ifndef XKDE_CORE_TEXT_NLLB_LANGUAGES_H_
#define XKDE_CORE_TEXT_NLLB_LANGUAGES_H_

#include <string>
#include <vector>

namespace xkde {

/// The 202 language codes of NLLB-200 in the order of their token ids. Source: arXiv:2207.04672,
/// table 1; the order is that of the published dictionaries.
const std::vector<std::string>& nllb_language_codes();

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_NLLB_LANGUAGES_H_
