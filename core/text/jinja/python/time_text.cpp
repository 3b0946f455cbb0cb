#include "core/text/jinja/python/time_text.h"

#include <algorithm>
#include <ctime>

#include "core/base/error.h"

namespace xkde::jinja {
namespace {

constexpr std::string_view kKnown = "YymdeHIMSpjBbhAawuFTDRnt%";
constexpr std::string_view kNumbers = "mdeHIMSjy";  ///< those that may go without a zero

std::tm calendar(const Clock& clock) {
  std::tm time{};
  time.tm_year = clock.year - 1900;
  time.tm_mon = clock.month - 1;
  time.tm_mday = clock.day;
  time.tm_hour = clock.hour;
  time.tm_min = clock.minute;
  time.tm_sec = clock.second;
  timegm(&time);  // also sets the days of the week and of the year
  return time;
}

}  // namespace

std::string time_text(Context& context, std::string_view format, const Clock& clock) {
  const std::tm time = calendar(clock);
  std::string out;
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%') {
      out += format[at];
      continue;
    }
    const size_t begin = at++;
    const bool is_bare = at < format.size() && format[at] == '-';
    if (is_bare) ++at;
    const std::string_view set = is_bare ? kNumbers : kKnown;
    if (at >= format.size() || set.find(format[at]) == std::string_view::npos)
      context.refuse(concat("strftime_now: expected one of % and ", kKnown, ", found ",
                            format.substr(begin, at - begin + 1)));
    char buffer[64];
    const char directive[] = {'%', format[at], '\0'};
    std::string part(buffer, std::strftime(buffer, sizeof buffer, directive, &time));
    if (is_bare) part.erase(0, std::min(part.find_first_not_of("0 "), part.size() - 1));
    out += part;
  }
  return out;
}

}  // namespace xkde::jinja
