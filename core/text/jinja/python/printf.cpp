#include "core/text/jinja/python/printf.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/text/jinja/python/operators.h"
#include "core/text/jinja/python/python_text.h"
#include "core/text/regex/unicode.h"

namespace xkde::jinja {
namespace {

/// One conversion: %-05.2f
struct Conversion {
  std::string_view flags;
  int width = 0;
  int precision = -1;
  char kind = '\0';

  bool has(char flag) const { return flags.find(flag) != std::string_view::npos; }
};

int number_at(Context& context, std::string_view format, size_t& at) {
  int value = 0;
  const auto result = std::from_chars(format.data() + at, format.data() + format.size(), value);
  if (result.ptr == format.data() + at) return 0;
  if (result.ec != std::errc() || value > Limits::kWidth)
    context.refuse(concat("expected a width of at most ", Limits::kWidth, ", found more"));
  at = static_cast<size_t>(result.ptr - format.data());
  return value;
}

Conversion read_conversion(Context& context, std::string_view format, size_t& at) {
  Conversion conversion;
  const size_t begin = at;
  while (at < format.size() && std::string_view("-+ 0#").find(format[at]) != std::string_view::npos)
    ++at;
  conversion.flags = format.substr(begin, at - begin);
  conversion.width = number_at(context, format, at);
  if (at < format.size() && format[at] == '.')
    conversion.precision = number_at(context, format, ++at);
  if (at == format.size()) context.refuse("expected a conversion after % in a format, found none");
  conversion.kind = format[at++];
  return conversion;
}

std::string number_text(Context& context, const Conversion& conversion, const Value& value) {
  const auto real = real_of(value);
  if (!real) context.refuse(concat("expected a number for a format, ", found(value)));
  std::string digits;
  if (conversion.kind == 'f' || conversion.kind == 'F') {
    digits = fmt::format("{:.{}f}", *real, conversion.precision < 0 ? 6 : conversion.precision);
  } else if (value.is<double>()) {
    if (!std::isfinite(*real) || std::fabs(*real) >= 9e18)
      context.refuse("expected a number of 64 bits for a format, found another");
    digits = std::to_string(static_cast<int64_t>(*real));
  } else {
    digits = std::to_string(whole_of(context, value, "format"));
  }
  if (digits.front() != '-') {
    if (conversion.has('+'))
      digits = "+" + digits;
    else if (conversion.has(' '))
      digits = " " + digits;
  }
  const auto missing = conversion.width - static_cast<int>(digits.size());
  if (conversion.has('0') && !conversion.has('-') && missing > 0) {
    const size_t behind_sign = digits.front() >= '0' && digits.front() <= '9' ? 0 : 1;
    digits.insert(behind_sign, static_cast<size_t>(missing), '0');
  }
  return digits;
}

std::string converted(Context& context, const Conversion& conversion, const Value& value) {
  std::string text;
  switch (conversion.kind) {
    case 's':
    case 'r':
      text = conversion.kind == 's' ? text_of(context, value) : repr_of(context, value);
      if (conversion.precision >= 0) text.resize(python::offset_of(text, conversion.precision));
      break;
    case 'd':
    case 'i':
    case 'f':
    case 'F':
      if (conversion.has('#') ||
          (conversion.precision >= 0 && (conversion.kind == 'd' || conversion.kind == 'i')))
        context.refuse("expected a width alone for %d in a format, found more");
      text = number_text(context, conversion, value);
      break;
    default:
      context.refuse(concat("expected one of %s, %r, %d, %i, %f, %% in a format, found %",
                            std::string(1, conversion.kind)));
  }
  return justified(context, text, conversion.width, conversion.has('-') ? '<' : '>');
}

/// The value of the field "", "0" or "name" of str.format; counts those without a name.
const Value& field_value(Context& context, std::string_view field, const Arguments& arguments,
                         size_t& next) {
  size_t place = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), place);
  const bool is_number = error == std::errc() && end == field.data() + field.size();
  if (field.empty()) place = next++;
  if (field.empty() || is_number) {
    if (place >= arguments.positional.size())
      context.refuse(concat("format: expected a value number ", place, ", found ",
                            arguments.positional.size(), " values"));
    return arguments.positional[place];
  }
  for (const auto& [name, value] : arguments.named) {
    if (name == field) return value;
  }
  context.refuse(concat("format: expected {}, {0} or the name of a value, found {", field, "}"));
}

}  // namespace

std::string justified(Context& context, std::string_view text, int64_t width, char side,
                      std::string_view fill) {
  if (width > Limits::kWidth)
    context.refuse(concat("expected a width of at most ", Limits::kWidth, ", found ", width));
  if (unicode::length(fill) != 1)
    context.refuse("expected one character to fill up with, found another number");
  const int64_t missing = width - static_cast<int64_t>(unicode::length(text));
  if (missing <= 0) return std::string(text);
  // As CPython: of an odd number, str.center puts the larger half left where the width is odd.
  const int64_t middle = missing / 2 + (missing & width & 1);
  const int64_t left = side == '<' ? 0 : side == '>' ? missing : middle;
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += text;
  for (int64_t i = left; i < missing; ++i) out += fill;
  context.make(out.size());
  return out;
}

std::string formatted(Context& context, std::string_view format, const Value& values) {
  const Sequence* tuple = values.sequence();
  if (tuple != nullptr && tuple->kind != Sequence::Kind::kTuple) tuple = nullptr;
  const size_t count = tuple == nullptr ? 1 : tuple->items.size();
  size_t next = 0;
  std::string out;
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    const Conversion conversion = read_conversion(context, format, ++at);
    if (conversion.kind == '%') {
      out += '%';
      continue;
    }
    if (next >= count) context.refuse("expected a value for each % of a format, found too few");
    out += converted(context, conversion, tuple == nullptr ? values : tuple->items[next]);
    ++next;
  }
  if (next < count && !(values.dict() != nullptr && next == 0))
    context.refuse("expected a % for each value of a format, found too few");
  return out;
}

std::string filled(Context& context, std::string_view format, const Arguments& arguments) {
  std::string out;
  size_t next = 0;
  for (size_t at = 0; at < format.size(); ++at) {
    const char c = format[at];
    if (c != '{' && c != '}') {
      out += c;
      continue;
    }
    if (at + 1 < format.size() && format[at + 1] == c) {
      out += c;
      ++at;
      continue;
    }
    const size_t end = c == '{' ? format.find('}', at) : std::string_view::npos;
    if (end == std::string_view::npos)
      context.refuse("format: expected braces in pairs, found a single one");
    append_text(context, out,
                field_value(context, format.substr(at + 1, end - at - 1), arguments, next));
    at = end;
  }
  return out;
}

}  // namespace xkde::jinja
