#include "core/text/jinja/python/operators.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/text/jinja/python/printf.h"
#include "core/text/jinja/python/python_text.h"
#include "core/text/regex/unicode.h"

namespace xkde::jinja {
namespace {

constexpr std::string_view kSigns[] = {
    "+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};

std::string_view sign_text(Operator sign) { return kSigns[static_cast<size_t>(sign)]; }

[[noreturn]] void refuse_pair(Context& context, Operator sign, const Value& left,
                              const Value& right) {
  context.refuse(concat("expected two values that ", sign_text(sign), " takes, ", found(left),
                        " and ", right.type_name()));
}

std::optional<int64_t> whole(const Value& value) {
  if (const bool* flag = value.as<bool>()) return *flag ? 1 : 0;
  if (const int64_t* number = value.as<int64_t>()) return *number;
  return std::nullopt;
}

int64_t floor_divided(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

std::optional<int64_t> power(int64_t base, int64_t exponent) {
  if (exponent == 0 || base == 1) return 1;
  if (base == 0) return 0;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  int64_t result = 1;
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(result, base, &result)) return std::nullopt;
  }
  return result;
}

Value whole_result(Context& context, Operator sign, int64_t a, int64_t b) {
  int64_t result = 0;
  bool fits = true;
  switch (sign) {
    case Operator::kAdd:
      fits = !__builtin_add_overflow(a, b, &result);
      break;
    case Operator::kSubtract:
      fits = !__builtin_sub_overflow(a, b, &result);
      break;
    case Operator::kMultiply:
      fits = !__builtin_mul_overflow(a, b, &result);
      break;
    case Operator::kFloorDivide:
    case Operator::kModulo: {
      if (b == 0) context.refuse("expected a divisor other than 0, found 0");
      if (b == -1) {  // the one quotient that may be too large, and what no processor divides
        fits = !__builtin_sub_overflow(int64_t{0}, a, &result);
        if (sign == Operator::kModulo) return int64_t{0};
        break;
      }
      const int64_t quotient = floor_divided(a, b);
      result = sign == Operator::kFloorDivide ? quotient : a - quotient * b;
      break;
    }
    default: {
      const auto value = power(a, b);
      fits = value.has_value();
      result = value.value_or(0);
    }
  }
  if (!fits) context.refuse("expected a number of 64 bits, found a larger one");
  return result;
}

Value real_result(Context& context, Operator sign, double a, double b) {
  switch (sign) {
    case Operator::kAdd:
      return a + b;
    case Operator::kSubtract:
      return a - b;
    case Operator::kMultiply:
      return a * b;
    case Operator::kPower:
      return std::pow(a, b);
    default:
      break;
  }
  if (b == 0.0) context.refuse("expected a divisor other than 0, found 0");
  if (sign == Operator::kDivide) return a / b;
  double rest = std::fmod(a, b);
  if (rest != 0.0 && (rest < 0.0) != (b < 0.0)) rest += b;
  if (sign == Operator::kModulo) return rest;
  return std::floor((a - rest) / b + 0.5);
}

Value repeated(Context& context, const Value& value, int64_t count) {
  count = std::max<int64_t>(count, 0);
  if (value.is_text()) {
    const std::string& text = value.text();
    if (count > 0 && text.size() > Limits::kTextBytes / static_cast<size_t>(count))
      context.make(Limits::kTextBytes + 1);
    std::string out;
    for (int64_t i = 0; i < count && !text.empty(); ++i) out += text;
    return context.text(std::move(out));
  }
  const Sequence& sequence = *value.sequence();
  if (!sequence.items.empty()) context.spend(std::min(count, Limits::kSteps + 1));
  std::vector<Value> items;
  for (int64_t i = 0; i < count && !sequence.items.empty(); ++i) {
    context.spend(std::ssize(sequence.items));
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return context.sequence(std::move(items), sequence.kind);
}

bool is_list_or_tuple(const Value& value) {
  const Sequence* sequence = value.sequence();
  return sequence != nullptr &&
         (sequence->kind == Sequence::Kind::kList || sequence->kind == Sequence::Kind::kTuple);
}

Value added_texts(Context& context, const Text& left, const Text& right) {
  const bool is_safe = left.is_safe || right.is_safe;
  const bool escapes = left.is_safe != right.is_safe;
  std::string out = escapes && !left.is_safe ? escaped(*left.bytes) : *left.bytes;
  out += escapes && !right.is_safe ? escaped(*right.bytes) : *right.bytes;
  context.make(out.size());
  return Text{std::make_shared<const std::string>(std::move(out)), is_safe};
}

/// `+`, `*` and `%` of what is not two numbers; nothing where there is none.
std::optional<Value> of_sequences(Context& context, Operator sign, const Value& left,
                                  const Value& right) {
  if (sign == Operator::kAdd) {
    if (left.is_text() && right.is_text())
      return added_texts(context, *left.as<Text>(), *right.as<Text>());
    if (is_list_or_tuple(left) && is_list_or_tuple(right) &&
        left.sequence()->kind == right.sequence()->kind) {
      context.spend(std::ssize(left.sequence()->items) + std::ssize(right.sequence()->items));
      std::vector<Value> items = left.sequence()->items;
      items.insert(items.end(), right.sequence()->items.begin(), right.sequence()->items.end());
      return context.sequence(std::move(items), left.sequence()->kind);
    }
  }
  if (sign == Operator::kMultiply) {
    if (const auto count = whole(right); count && (left.is_text() || is_list_or_tuple(left)))
      return repeated(context, left, *count);
    if (const auto count = whole(left); count && (right.is_text() || is_list_or_tuple(right)))
      return repeated(context, right, *count);
  }
  if (sign == Operator::kModulo && left.is_text())
    return context.text(formatted(context, left.text(), right));
  return std::nullopt;
}

int sign_of(std::strong_ordering ordering) { return ordering < 0 ? -1 : ordering > 0 ? 1 : 0; }

/// The places of a slice in a sequence of `length`, in order.
std::vector<int64_t> places(Context& context, int64_t length, const SliceBounds& bounds) {
  const int64_t step = bounds.step.value_or(1);
  if (step == 0) context.refuse("expected a step other than 0 in a slice, found 0");
  const int64_t least = step > 0 ? 0 : -1;
  const int64_t most = step > 0 ? length : length - 1;
  const auto place = [&](int64_t bound) {
    return std::clamp(bound < 0 ? bound + length : bound, least, most);
  };
  const int64_t start = bounds.start ? place(*bounds.start) : (step > 0 ? least : most);
  const int64_t stop = bounds.stop ? place(*bounds.stop) : (step > 0 ? most : least);
  std::vector<int64_t> all;
  // A step that leaves the sequence at once may be too large to be added.
  const int64_t stride = std::clamp(step, -length - 1, length + 1);
  for (int64_t i = start; step > 0 ? i < stop : i > stop; i += stride) all.push_back(i);
  context.spend(std::ssize(all));
  return all;
}

Value sliced_text(Context& context, const std::string& text, const SliceBounds& bounds) {
  context.read(text.size());
  if (bounds.step.value_or(1) == 1) {  // one piece
    const auto length = static_cast<int64_t>(unicode::length(text));
    const auto place = [&](const std::optional<int64_t>& bound, int64_t otherwise) {
      if (!bound) return otherwise;
      return std::clamp<int64_t>(*bound < 0 ? *bound + length : *bound, 0, length);
    };
    const int64_t start = place(bounds.start, 0);
    const int64_t stop = place(bounds.stop, length);
    if (start >= stop) return Value("");
    const size_t begin = python::offset_of(text, start);
    const size_t size = python::offset_of(std::string_view(text).substr(begin), stop - start);
    return context.text(text.substr(begin, size));
  }
  std::vector<std::string_view> characters;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    unicode::next(text, at);
    characters.push_back(std::string_view(text).substr(begin, at - begin));
  }
  context.spend(std::ssize(characters));
  std::string out;
  for (const int64_t i : places(context, std::ssize(characters), bounds))
    out += characters[static_cast<size_t>(i)];
  return context.text(std::move(out));
}

void append_repr(Context& context, std::string& out, const Value& value);

void append_all(Context& context, std::string& out, const Sequence& sequence) {
  const bool is_tuple = sequence.kind == Sequence::Kind::kTuple;
  if (!is_tuple && sequence.kind != Sequence::Kind::kList)
    context.refuse(
        "expected a value that can be written, found a generator, a view or a range; \"list\" "
        "makes a list of it");
  out += is_tuple ? '(' : '[';
  for (size_t i = 0; i < sequence.items.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(context, out, sequence.items[i]);
  }
  if (is_tuple && sequence.items.size() == 1) out += ',';
  out += is_tuple ? ')' : ']';
}

void append_repr(Context& context, std::string& out, const Value& value) {
  context.spend();
  const size_t before = out.size();
  if (value.is_text()) {
    if (value.as<Text>()->is_safe)
      context.refuse("expected a text in a list, found one that is marked \"safe\"");
    out += python::repr(value.text());
  } else if (value.is<Undefined>()) {
    out += "Undefined";
  } else {
    append_text(context, out, value);
    return;
  }
  context.make(out.size() - before);
}

void append_dict(Context& context, std::string& out, const Dict& dict) {
  out += '{';
  bool is_first = true;
  for (const auto& [key, value] : dict.entries) {
    if (!is_first) out += ", ";
    is_first = false;
    append_repr(context, out, key);
    out += ": ";
    append_repr(context, out, value);
  }
  out += '}';
}

}  // namespace

std::string found(const Value& value) {
  if (const Undefined* undefined = value.as<Undefined>()) {
    if (undefined->name == nullptr) return "found an undefined value";
    return concat("found \"", *undefined->name, "\", which is undefined");
  }
  return concat("found ", value.type_name());
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

void append_text(Context& context, std::string& out, const Value& value) {
  if (value.is_text()) {
    context.make(value.text().size());
    out += value.text();
  } else if (const int64_t* number = value.as<int64_t>()) {
    out += std::to_string(*number);
  } else if (const bool* flag = value.as<bool>()) {
    out += *flag ? "True" : "False";
  } else if (value.is<None>()) {
    out += "None";
  } else if (const double* real = value.as<double>()) {
    out += python::repr(*real);
  } else if (const Sequence* sequence = value.sequence()) {
    append_all(context, out, *sequence);
  } else if (const Dict* dict = value.dict()) {
    append_dict(context, out, *dict);
  } else if (!value.is<Undefined>()) {
    context.refuse(concat("expected a value that can be written, ", found(value)));
  }
}

std::string text_of(Context& context, const Value& value) {
  std::string out;
  append_text(context, out, value);
  return out;
}

std::string repr_of(Context& context, const Value& value) {
  std::string out;
  append_repr(context, out, value);
  return out;
}

SequencePtr items_of(Context& context, const Value& value) {
  if (const SequencePtr* sequence = value.as<SequencePtr>()) {
    const Sequence& all = **sequence;
    context.spend(1);
    if (all.kind != Sequence::Kind::kIterator) return *sequence;
    auto rest = std::make_shared<Sequence>();
    rest->items.assign(all.items.begin() + static_cast<std::ptrdiff_t>(all.taken), all.items.end());
    context.spend(std::ssize(rest->items));
    all.taken = all.items.size();
    return rest;
  }
  auto items = std::make_shared<Sequence>();
  if (const Dict* dict = value.dict()) {
    context.spend(std::ssize(dict->entries));
    for (const auto& [key, entry] : dict->entries) items->items.push_back(key);
  } else if (value.is_text()) {
    const std::string& text = value.text();
    context.spend(static_cast<int64_t>(text.size()));
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      unicode::next(text, at);
      items->items.emplace_back(text.substr(begin, at - begin));
    }
  } else if (!value.is<Undefined>()) {
    context.refuse(concat("expected a value to go through, ", found(value)));
  }
  return items;
}

int64_t length_of(Context& context, const Value& value) {
  if (value.is_text()) {
    context.read(value.text().size());
    return static_cast<int64_t>(unicode::length(value.text()));
  }
  if (value.is<Undefined>()) return 0;
  if (const Dict* dict = value.dict()) return std::ssize(dict->entries);
  const Sequence* sequence = value.sequence();
  if (sequence == nullptr || sequence->kind == Sequence::Kind::kIterator)
    context.refuse(concat("expected a value with a length, ", found(value)));
  return std::ssize(sequence->items);
}

int64_t whole_of(Context& context, const Value& value, std::string_view what) {
  const auto number = whole(value);
  if (!number) context.refuse(concat(what, ": expected a whole number, ", found(value)));
  return *number;
}

std::optional<double> real_of(const Value& value) {
  if (const auto number = whole(value)) return static_cast<double>(*number);
  if (const double* real = value.as<double>()) return *real;
  return std::nullopt;
}

const std::string& text_required(Context& context, const Value& value, std::string_view what) {
  if (!value.is_text()) context.refuse(concat(what, ": expected a text, ", found(value)));
  return value.text();
}

Value binary(Context& context, Operator sign, const Value& left, const Value& right) {
  context.spend();
  const auto a = whole(left);
  const auto b = whole(right);
  const bool is_whole =
      a && b && sign != Operator::kDivide && !(sign == Operator::kPower && *b < 0);
  if (is_whole) return whole_result(context, sign, *a, *b);
  const auto x = real_of(left);
  const auto y = real_of(right);
  if (x && y) return real_result(context, sign, *x, *y);
  if (auto result = of_sequences(context, sign, left, right)) return std::move(*result);
  refuse_pair(context, sign, left, right);
}

Value negative(Context& context, const Value& value) {
  if (const auto number = whole(value))
    return whole_result(context, Operator::kSubtract, 0, *number);
  const double* real = value.as<double>();
  if (real == nullptr) context.refuse(concat("expected a number after -, ", found(value)));
  return -*real;
}

int order(Context& context, const Value& left, const Value& right) {
  context.spend();
  const auto a = whole(left);
  const auto b = whole(right);
  if (a && b) return sign_of(*a <=> *b);
  const auto x = real_of(left);
  const auto y = real_of(right);
  if (x && y) return *x < *y ? -1 : *x > *y ? 1 : 0;
  if (left.is_text() && right.is_text()) {
    context.read(std::min(left.text().size(), right.text().size()));
    return sign_of(left.text() <=> right.text());  // by bytes is by characters, too
  }
  if (is_list_or_tuple(left) && is_list_or_tuple(right) &&
      left.sequence()->kind == right.sequence()->kind) {
    const std::vector<Value>& ours = left.sequence()->items;
    const std::vector<Value>& theirs = right.sequence()->items;
    for (size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
      if (!equal(ours[i], theirs[i])) return order(context, ours[i], theirs[i]);
    }
    return sign_of(ours.size() <=> theirs.size());
  }
  refuse_pair(context, Operator::kLess, left, right);
}

bool contains(Context& context, const Value& container, const Value& item) {
  if (container.is_text()) {
    const std::string& part = text_required(context, item, "in");
    context.read(container.text().size());
    return container.text().find(part) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) {
    context.spend(std::ssize(dict->entries) / 8);
    return dict->find(item) != nullptr;
  }
  const SequencePtr items = items_of(context, container);
  context.spend(std::ssize(items->items) / 8);
  return std::any_of(items->items.begin(), items->items.end(),
                     [&](const Value& one) { return equal(one, item); });
}

bool compare(Context& context, Operator sign, const Value& left, const Value& right) {
  context.spend();
  switch (sign) {
    case Operator::kEqual:
      return equal(left, right);
    case Operator::kUnequal:
      return !equal(left, right);
    case Operator::kIn:
      return contains(context, right, left);
    case Operator::kNotIn:
      return !contains(context, right, left);
    case Operator::kLess:
      return order(context, left, right) < 0;
    case Operator::kLessEqual:
      return order(context, left, right) <= 0;
    case Operator::kGreater:
      return order(context, left, right) > 0;
    default:
      return order(context, left, right) >= 0;
  }
}

Value item_at(Context& context, const Value& sequence, int64_t index) {
  if (sequence.is_text()) {
    const std::string& text = sequence.text();
    context.read(text.size());
    if (index < 0) index += static_cast<int64_t>(unicode::length(text));
    if (index < 0) return {};
    const size_t begin = python::offset_of(text, index);
    if (begin == text.size()) return {};
    size_t end = begin;
    unicode::next(text, end);
    return Value(text.substr(begin, end - begin));
  }
  const Sequence* values = sequence.sequence();
  if (values == nullptr || !values->has_places()) return {};
  if (index < 0) index += std::ssize(values->items);
  if (index < 0 || index >= std::ssize(values->items)) return {};
  return values->items[static_cast<size_t>(index)];
}

Value slice(Context& context, const Value& value, const SliceBounds& bounds) {
  if (value.is_text()) return sliced_text(context, value.text(), bounds);
  if (value.sequence() == nullptr || !value.sequence()->has_places())
    context.refuse(concat("expected a text or a list to take a slice of, ", found(value)));
  const Sequence& sequence = *value.sequence();
  std::vector<Value> items;
  for (const int64_t i : places(context, std::ssize(sequence.items), bounds))
    items.push_back(sequence.items[static_cast<size_t>(i)]);
  return context.sequence(std::move(items), sequence.kind);
}

}  // namespace xkde::jinja
