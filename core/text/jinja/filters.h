#ifndef XKDE_CORE_TEXT_JINJA_FILTERS_H_
#define XKDE_CORE_TEXT_JINJA_FILTERS_H_

#include <string>
#include <string_view>

#include "core/text/jinja/syntax.h"

namespace xkde::jinja {

/// The filter of a name, as Jinja's, "tojson" as transformers'. Null: none of this name here.
Filter find_filter(std::string_view name);
std::string filter_names();  ///< "abs, batch, …", for messages

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_FILTERS_H_
