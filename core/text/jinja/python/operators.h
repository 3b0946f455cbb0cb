#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_OPERATORS_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_OPERATORS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "core/text/jinja/python/context.h"
#include "core/text/jinja/python/value.h"

/// What Python's operators and built-in functions do with values. Each throws ConfigError, by
/// Context::refuse, where Python raises an error.
namespace xkde::jinja {

enum class Operator {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kUnequal,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

/// str(): what a print writes. Nothing for undefined. Refuses functions, namespaces, loops and
/// generators, which Python shows by their address.
std::string text_of(Context& context, const Value& value);
void append_text(Context& context, std::string& out, const Value& value);
/// repr(): texts in quotes.
std::string repr_of(Context& context, const Value& value);

/// All values that a loop over `value` sees: those of a sequence, a dict's keys, a text's
/// characters. An iterator has none afterwards.
SequencePtr items_of(Context& context, const Value& value);
/// len().
int64_t length_of(Context& context, const Value& value);

Value binary(Context& context, Operator sign, const Value& left, const Value& right);
Value negative(Context& context, const Value& value);
bool compare(Context& context, Operator sign, const Value& left, const Value& right);
/// Below 0 where `left` is less, 0 where neither is.
int order(Context& context, const Value& left, const Value& right);
bool contains(Context& context, const Value& container, const Value& item);

/// sequence[index], with Jinja's answer where there is none: undefined.
Value item_at(Context& context, const Value& sequence, int64_t index);
/// value[start:stop:step]; those left out are none or undefined.
struct SliceBounds {
  std::optional<int64_t> start, stop, step;
};
Value slice(Context& context, const Value& value, const SliceBounds& bounds);

/// A whole number; a bool is one. Refuses all else, saying `what` it is for.
int64_t whole_of(Context& context, const Value& value, std::string_view what);
/// A whole number or a real one, as double; nothing for another type.
std::optional<double> real_of(const Value& value);
/// The bytes of a text. Refuses all else, saying `what` it is for.
const std::string& text_required(Context& context, const Value& value, std::string_view what);
/// "found an undefined \"x\"" or "found a list".
std::string found(const Value& value);
/// A text with the characters of HTML written as entities, as the filter "escape".
std::string escaped(std::string_view text);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_OPERATORS_H_
