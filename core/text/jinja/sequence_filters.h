#ifndef XKDE_CORE_TEXT_JINJA_SEQUENCE_FILTERS_H_
#define XKDE_CORE_TEXT_JINJA_SEQUENCE_FILTERS_H_

#include <span>

#include "core/text/jinja/named_rows.h"
#include "core/text/jinja/syntax.h"

namespace xkde::jinja {

/// The filters that go through many values.
std::span<const NamedRow<Filter>> sequence_filters();

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_SEQUENCE_FILTERS_H_
