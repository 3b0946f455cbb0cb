#include "core/text/jinja/filters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/text/jinja/evaluator.h"
#include "core/text/jinja/methods.h"
#include "core/text/jinja/named_rows.h"
#include "core/text/jinja/python/arguments.h"
#include "core/text/jinja/python/json_text.h"
#include "core/text/jinja/python/operators.h"
#include "core/text/jinja/python/printf.h"
#include "core/text/jinja/python/python_text.h"
#include "core/text/jinja/python/text_functions.h"
#include "core/text/jinja/sequence_filters.h"
#include "core/text/regex/unicode.h"

namespace xkde::jinja {
namespace {

Value trim(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter trim", arguments, {"chars"});
  const std::string text = text_of(context, value);
  if (bound[0] == nullptr || bound[0]->is<None>())
    return context.text(std::string(python::strip_right(python::strip_left(text))));
  const std::string& chars = text_required(context, *bound[0], "filter trim");
  return context.text(std::string(python::strip_right(python::strip_left(text, chars), chars)));
}

template <Casing casing>
Value cased_as(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const BoundArguments none(evaluator.context(), "filter", arguments, {});
  return cased(evaluator.context(), text_of(evaluator.context(), value), casing);
}

/// Jinja's own words, which begin after a space or an opening bracket.
Value title(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments none(context, "filter title", arguments, {});
  std::string text = text_of(context, value);
  if (!python::is_ascii(text))
    context.refuse("filter title: expected a text of ASCII, found another");
  constexpr std::string_view kBefore = "-({[<";
  bool begins = true;
  for (char& c : text) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_letter) c = static_cast<char>(begins ? c & ~0x20 : c | 0x20);
    begins = kBefore.find(c) != std::string_view::npos ||
             python::is_space(static_cast<unsigned char>(c));
  }
  return context.text(std::move(text));
}

Value string(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const BoundArguments none(evaluator.context(), "filter string", arguments, {});
  if (value.is_text()) return value;
  return Value(text_of(evaluator.context(), value));
}

Value safe(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const BoundArguments none(evaluator.context(), "filter safe", arguments, {});
  return Text{std::make_shared<const std::string>(text_of(evaluator.context(), value)), true};
}

Value escape(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments none(context, "filter escape", arguments, {});
  std::string text = escaped(text_of(context, value));
  context.make(text.size());
  return Text{std::make_shared<const std::string>(std::move(text)), true};
}

Value otherwise(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const BoundArguments bound(evaluator.context(), "filter default", arguments,
                             {"default_value", "boolean"});
  const bool for_false = bound[1] != nullptr && is_true(*bound[1]);
  if (!value.is<Undefined>() && (!for_false || is_true(value))) return value;
  return bound[0] == nullptr ? Value("") : *bound[0];
}

Value replace(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter replace", arguments, {"old", "new", "count"}, 2);
  const int64_t most = bound[2] == nullptr || bound[2]->is<None>()
                           ? -1
                           : whole_of(context, *bound[2], "filter replace");
  return replaced(context, text_of(context, value), text_of(context, *bound[0]),
                  text_of(context, *bound[1]), most);
}

Value indent(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter indent", arguments, {"width", "first", "blank"});
  const std::string& text = text_required(context, value, "filter indent");
  std::string margin(4, ' ');
  if (bound[0] != nullptr && bound[0]->is_text()) {
    margin = bound[0]->text();
  } else if (bound[0] != nullptr) {
    margin = justified(context, "", whole_of(context, *bound[0], "filter indent"), '<');
  }
  const bool with_first = bound[1] != nullptr && is_true(*bound[1]);
  const bool with_blank = bound[2] != nullptr && is_true(*bound[2]);
  std::string out;
  const Value lines = lines_of(context, text + "\n");
  bool is_first = true;
  for (const Value& line : lines.sequence()->items) {
    const bool has_margin = is_first ? with_first : with_blank || !line.text().empty();
    context.make(line.text().size() + margin.size() + 1);
    if (!is_first) out += '\n';
    if (has_margin) out += margin;
    out += line.text();
    is_first = false;
  }
  return Value(std::move(out));
}

/// A whole number in a text, as Python's int() reads it; nothing for another text. Refuses numbers
/// beyond 64 bits and digits outside of ASCII.
std::optional<int64_t> parsed_whole(Context& context, std::string_view text) {
  if (!python::is_ascii(text))
    context.refuse("filter int: expected a text of ASCII, found another");
  std::string digits(python::strip_right(python::strip_left(text)));
  if (digits.starts_with('+')) digits.erase(0, 1);
  if (digits.find('_') != std::string::npos)
    context.refuse("filter int: expected digits without _, found some with it");
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    context.refuse("filter int: expected a number of 64 bits, found a larger one");
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

std::optional<double> parsed_real(Context& context, std::string_view text) {
  if (!python::is_ascii(text))
    context.refuse("filter float: expected a text of ASCII, found another");
  std::string_view digits = python::strip_right(python::strip_left(text));
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double number = 0.0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (end != digits.data() + digits.size() || error != std::errc()) return std::nullopt;
  return number;
}

Value whole_part(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter int", arguments, {"default", "base"});
  if (bound[1] != nullptr && !equal(*bound[1], int64_t{10}))
    context.refuse("filter int: expected base 10, found another");
  if (value.is<Undefined>()) context.refuse(concat("filter int: expected a value, ", found(value)));
  const Value fallback = bound[0] == nullptr ? Value(int64_t{0}) : *bound[0];
  std::optional<double> real;
  if (value.is_text()) {
    if (const auto number = parsed_whole(context, value.text())) return *number;
    real = parsed_real(context, value.text());
  } else if (const double* held = value.as<double>()) {
    real = *held;
  } else if (real_of(value)) {
    return whole_of(context, value, "filter int");
  }
  if (!real || !std::isfinite(*real)) return fallback;
  if (std::fabs(*real) >= 9e18)
    context.refuse("filter int: expected a number of 64 bits, found a larger one");
  return static_cast<int64_t>(*real);
}

Value real(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter float", arguments, {"default"});
  if (value.is<Undefined>())
    context.refuse(concat("filter float: expected a value, ", found(value)));
  const auto number = value.is_text() ? parsed_real(context, value.text()) : real_of(value);
  if (number) return *number;
  return bound[0] == nullptr ? Value(0.0) : *bound[0];
}

Value absolute(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const BoundArguments none(evaluator.context(), "filter abs", arguments, {});
  const auto number = real_of(value);
  if (!number) evaluator.context().refuse(concat("filter abs: expected a number, ", found(value)));
  return *number < 0 ? negative(evaluator.context(), value) : value;
}

Value rounded(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter round", arguments, {"precision", "method"});
  const auto number = real_of(value);
  if (!number) context.refuse(concat("filter round: expected a number, ", found(value)));
  if (bound[0] != nullptr && !equal(*bound[0], int64_t{0}))
    context.refuse("filter round: expected precision 0, found another");
  const std::string method = bound[1] == nullptr ? "common" : text_of(context, *bound[1]);
  if (method == "common") return value.is<double>() ? Value(std::nearbyint(*number)) : value;
  if (method == "ceil") return std::ceil(*number);
  if (method == "floor") return std::floor(*number);
  context.refuse(concat("filter round: expected common, ceil or floor, found ", method));
}

Value format(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  if (!arguments.named.empty())
    context.refuse("filter format: expected values without names, found one with a name");
  const Value values = context.sequence(arguments.positional, Sequence::Kind::kTuple);
  return context.text(formatted(context, text_of(context, value), values));
}

Value attribute(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter attr", arguments, {"name"}, 1);
  const std::string& name = text_required(context, *bound[0], "filter attr");
  // Of the dict itself, never one of its entries.
  if (value.dict() != nullptr && find_method(context, value, name) == nullptr) return {};
  return evaluator.attribute(value, name);
}

Value tojson(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter tojson", arguments,
                             {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.is_ascii = bound[0] != nullptr && is_true(*bound[0]);
  style.sorts_keys = bound[3] != nullptr && is_true(*bound[3]);
  if (bound[1] != nullptr && bound[1]->is_text()) {
    style.indent = bound[1]->text();
  } else if (bound[1] != nullptr && !bound[1]->is<None>()) {
    style.indent = justified(context, "", whole_of(context, *bound[1], "filter tojson"), '<');
  }
  if (style.indent) style.between.pop_back();  // no blank at the end of a line
  if (bound[2] != nullptr && !bound[2]->is<None>()) {
    const Sequence* separators = bound[2]->sequence();
    if (separators == nullptr || separators->items.size() != 2)
      context.refuse("filter tojson: expected two separators, found another value");
    style.between = text_required(context, separators->items[0], "filter tojson");
    style.behind_key = text_required(context, separators->items[1], "filter tojson");
  }
  return Value(json_text(context, value, style));
}

Value wordcount(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments none(context, "filter wordcount", arguments, {});
  const std::string text = text_of(context, value);
  if (!python::is_ascii(text))
    context.refuse("filter wordcount: expected a text of ASCII, found another");
  int64_t words = 0;
  bool is_inside = false;
  for (size_t at = 0; at < text.size();) {
    const bool is_word = unicode::is_word(unicode::next(text, at));
    words += is_word && !is_inside ? 1 : 0;
    is_inside = is_word;
  }
  return words;
}

constexpr NamedRow<Filter> kFilters[] = {{"abs", absolute},
                                         {"attr", attribute},
                                         {"capitalize", cased_as<Casing::kCapitalized>},
                                         {"d", otherwise},
                                         {"default", otherwise},
                                         {"e", escape},
                                         {"escape", escape},
                                         {"float", real},
                                         {"format", format},
                                         {"indent", indent},
                                         {"int", whole_part},
                                         {"lower", cased_as<Casing::kLower>},
                                         {"replace", replace},
                                         {"round", rounded},
                                         {"safe", safe},
                                         {"string", string},
                                         {"title", title},
                                         {"tojson", tojson},
                                         {"trim", trim},
                                         {"upper", cased_as<Casing::kUpper>},
                                         {"wordcount", wordcount}};

std::array<std::span<const NamedRow<Filter>>, 2> all_filters() {
  return {kFilters, sequence_filters()};
}

}  // namespace

Filter find_filter(std::string_view name) {
  for (const std::span<const NamedRow<Filter>> filters : all_filters()) {
    if (const Filter filter = find_named(filters, name)) return filter;
  }
  return nullptr;
}

std::string filter_names() {
  std::vector<std::string_view> names;
  for (const std::span<const NamedRow<Filter>> filters : all_filters()) {
    for (const NamedRow<Filter>& filter : filters) names.push_back(filter.name);
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string_view name : names) text += concat(text.empty() ? "" : ", ", name);
  return text;
}

}  // namespace xkde::jinja
