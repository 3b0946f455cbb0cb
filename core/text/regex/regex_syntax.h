#ifndef XKDE_CORE_TEXT_REGEX_REGEX_SYNTAX_H_
#define XKDE_CORE_TEXT_REGEX_REGEX_SYNTAX_H_

#include <string>
#include <string_view>

namespace xkde {

/// A pattern in Oniguruma's syntax, as the `tokenizers` library reads it, written in PCRE2's: \s,
/// \d, \w, \b, \h and \p{Script} keep Oniguruma's meaning. Throws DataError naming `where` for
/// a construct whose meaning would differ between the two engines.
std::string pcre2_from_oniguruma(std::string_view pattern, const std::string& where);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_REGEX_REGEX_SYNTAX_H_
