#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_TEXT_FUNCTIONS_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_TEXT_FUNCTIONS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/text/jinja/python/context.h"
#include "core/text/jinja/python/value.h"

/// What methods and filters of texts have in common.
namespace xkde::jinja {

enum class Casing {
  kUpper,
  kLower,
  kCapitalized,  ///< the first character upper, the rest lower
  kTitle,        ///< so each run of letters, as str.title
};
/// Refuses letters outside of ASCII whose capital would have to be found.
Value cased(Context& context, std::string_view text, Casing casing);

/// str.split and str.rsplit; no separator: at white space. `most` cuts at most; below 0: all.
Value split_text(Context& context, std::string_view text,
                 const std::optional<std::string_view>& separator, int64_t most, bool from_right);
/// str.splitlines.
Value lines_of(Context& context, std::string_view text);
/// str.replace; `most` below 0: all.
Value replaced(Context& context, std::string_view text, std::string_view old_part,
               std::string_view new_part, int64_t most);

/// Whether a text has characters, and all are of a kind: 'a' letters, 'd' digits, 'n' both, 's'
/// white space; or 'l' and 'u': whether it has letters, and all are lower or upper case. Refuses
/// letters and digits outside of ASCII.
bool consists_of(Context& context, std::string_view text, char kind);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_TEXT_FUNCTIONS_H_
