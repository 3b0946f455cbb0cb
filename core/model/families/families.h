#ifndef XKDE_CORE_MODEL_FAMILIES_FAMILIES_H_
#define XKDE_CORE_MODEL_FAMILIES_FAMILIES_H_

#include <span>
#include <string>
#include <string_view>

namespace xkde {

struct Family;

/// Every decoder family. families.cpp holds the only list of them.
std::span<const Family* const> families();

/// The family whose `key` is `value`: `family_by(&Family::model_type, "llama", "config.json:
/// model_type")`. Throws DataError "<place>: expected <all known values>, found <value>".
const Family& family_by(std::string_view Family::*key, std::string_view value,
                        const std::string& place);

/// The family of this model_type. Throws DataError as family_by().
const Family& family_named(std::string_view model_type);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_FAMILIES_H_
