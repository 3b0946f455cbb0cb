#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_TIME_TEXT_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_TIME_TEXT_H_

#include <string>
#include <string_view>

#include "core/text/jinja/python/context.h"

namespace xkde::jinja {

/// strftime of the C locale: %Y %y %m %d %e %H %I %M %S %p %j %B %b %h %A %a %w %u %F %T %D %R %n
/// %t %%, and %-d for a number without its zero. Refuses others by name.
std::string time_text(Context& context, std::string_view format, const Clock& clock);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_TIME_TEXT_H_
