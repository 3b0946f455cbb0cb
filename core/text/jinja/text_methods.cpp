#include "core/text/jinja/text_methods.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "core/base/error.h"
#include "core/text/jinja/evaluator.h"
#include "core/text/jinja/named_rows.h"
#include "core/text/jinja/python/arguments.h"
#include "core/text/jinja/python/operators.h"
#include "core/text/jinja/python/printf.h"
#include "core/text/jinja/python/python_text.h"
#include "core/text/jinja/python/text_functions.h"
#include "core/text/regex/unicode.h"

namespace xkde::jinja {
namespace {

/// What all methods of a text begin with.
struct Call {
  Call(Evaluator& evaluator, const Value& self, std::string_view method, const Arguments& arguments,
       std::initializer_list<std::string_view> names, size_t required = 0)
      : context(evaluator.context()),
        text(self.text()),
        name(concat("str.", method)),
        bound(context, name, arguments, names, required) {
    if (self.as<Text>()->is_safe)
      context.refuse(
          concat(name, ": expected a text that is not marked \"safe\", found one that is"));
    context.read(text.size());
  }

  const std::string& argument(size_t i) const { return text_required(context, *bound[i], name); }
  bool has(size_t i) const { return bound[i] != nullptr && !bound[i]->is<None>(); }
  int64_t number(size_t i, int64_t otherwise) const {
    return bound[i] == nullptr ? otherwise : whole_of(context, *bound[i], name);
  }

  Context& context;
  const std::string& text;
  std::string name;
  BoundArguments bound;
};

enum class Sides { kBoth, kLeft, kRight };

template <Sides sides>
Value strip(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "strip", arguments, {"chars"});
  std::string_view text = call.text;
  if (sides != Sides::kRight)
    text = call.has(0) ? python::strip_left(text, call.argument(0)) : python::strip_left(text);
  if (sides != Sides::kLeft)
    text = call.has(0) ? python::strip_right(text, call.argument(0)) : python::strip_right(text);
  if (text.size() == call.text.size()) return self;
  return call.context.text(std::string(text));
}

/// startswith and endswith: of one text, or of any of a tuple.
template <bool at_end>
Value has_affix(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, at_end ? "endswith" : "startswith", arguments, {"part"}, 1);
  const auto fits = [&](const Value& part) {
    const std::string& affix = text_required(call.context, part, call.name);
    return at_end ? call.text.ends_with(affix) : call.text.starts_with(affix);
  };
  const Sequence* parts = call.bound[0]->sequence();
  if (parts == nullptr) return fits(*call.bound[0]);
  return std::any_of(parts->items.begin(), parts->items.end(), fits);
}

template <bool at_end>
Value remove_affix(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, at_end ? "removesuffix" : "removeprefix", arguments, {"part"},
                  1);
  const std::string& affix = call.argument(0);
  if (at_end ? !call.text.ends_with(affix) : !call.text.starts_with(affix)) return self;
  return call.context.text(at_end ? call.text.substr(0, call.text.size() - affix.size())
                                  : call.text.substr(affix.size()));
}

template <bool from_right>
Value split(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, from_right ? "rsplit" : "split", arguments, {"sep", "maxsplit"});
  const int64_t most = call.number(1, -1);
  std::optional<std::string_view> separator;
  if (call.has(0)) separator = call.argument(0);
  return split_text(call.context, call.text, separator, most, from_right);
}

Value splitlines(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "splitlines", arguments, {});
  return lines_of(call.context, call.text);
}

Value replace(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "replace", arguments, {"old", "new", "count"}, 2);
  return replaced(call.context, call.text, call.argument(0), call.argument(1), call.number(2, -1));
}

/// find and rfind: the place of a part, counted in characters; -1: none.
template <bool from_right, bool is_required>
Value find(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "find", arguments, {"part"}, 1);
  const std::string& part = call.argument(0);
  const size_t at = from_right ? call.text.rfind(part) : call.text.find(part);
  if (at == std::string::npos) {
    if (is_required) call.context.refuse("str.index: expected a part of the text, found another");
    return int64_t{-1};
  }
  return static_cast<int64_t>(unicode::length(std::string_view(call.text).substr(0, at)));
}

Value count(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "count", arguments, {"part"}, 1);
  const std::string& part = call.argument(0);
  if (part.empty()) return static_cast<int64_t>(unicode::length(call.text)) + 1;
  int64_t found = 0;
  for (size_t at = call.text.find(part); at != std::string::npos;
       at = call.text.find(part, at + part.size()))
    ++found;
  return found;
}

template <Casing casing>
Value cased_as(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "upper, lower, title or capitalize", arguments, {});
  return cased(call.context, call.text, casing);
}

Value join(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "join", arguments, {"parts"}, 1);
  std::string out;
  bool is_first = true;
  for (const SequencePtr all = items_of(call.context, *call.bound[0]);
       const Value& part : all->items) {
    const std::string& text = text_required(call.context, part, call.name);
    call.context.make(text.size() + call.text.size());
    if (!is_first) out += call.text;
    is_first = false;
    out += text;
  }
  return Value(std::move(out));
}

Value format(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "format", {}, {});
  return call.context.text(filled(call.context, call.text, arguments));
}

template <char side>
Value justify(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "center, ljust or rjust", arguments, {"width", "fill"}, 1);
  const std::string fill = call.bound[1] == nullptr ? " " : call.argument(1);
  return Value(justified(call.context, call.text, call.number(0, 0), side, fill));
}

Value zfill(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "zfill", arguments, {"width"}, 1);
  const bool has_sign = call.text.starts_with('-') || call.text.starts_with('+');
  const std::string sign = has_sign ? call.text.substr(0, 1) : "";
  const int64_t width = call.number(0, 0) - std::ssize(sign);
  return Value(sign + justified(call.context, std::string_view(call.text).substr(sign.size()),
                                width, '>', "0"));
}

template <char kind>
Value is_made_of(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "isalnum, isalpha, isdigit, isspace, islower or isupper",
                  arguments, {});
  return consists_of(call.context, call.text, kind);
}

Value isascii(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Call call(evaluator, self, "isascii", arguments, {});
  return python::is_ascii(call.text);
}

constexpr NamedRow<Method> kMethods[] = {{"capitalize", cased_as<Casing::kCapitalized>},
                                         {"center", justify<'^'>},
                                         {"count", count},
                                         {"endswith", has_affix<true>},
                                         {"find", find<false, false>},
                                         {"format", format},
                                         {"index", find<false, true>},
                                         {"isalnum", is_made_of<'n'>},
                                         {"isalpha", is_made_of<'a'>},
                                         {"isascii", isascii},
                                         {"isdigit", is_made_of<'d'>},
                                         {"islower", is_made_of<'l'>},
                                         {"isspace", is_made_of<'s'>},
                                         {"isupper", is_made_of<'u'>},
                                         {"join", join},
                                         {"ljust", justify<'<'>},
                                         {"lower", cased_as<Casing::kLower>},
                                         {"lstrip", strip<Sides::kLeft>},
                                         {"removeprefix", remove_affix<false>},
                                         {"removesuffix", remove_affix<true>},
                                         {"replace", replace},
                                         {"rfind", find<true, false>},
                                         {"rjust", justify<'>'>},
                                         {"rsplit", split<true>},
                                         {"rstrip", strip<Sides::kRight>},
                                         {"split", split<false>},
                                         {"splitlines", splitlines},
                                         {"startswith", has_affix<false>},
                                         {"strip", strip<Sides::kBoth>},
                                         {"title", cased_as<Casing::kTitle>},
                                         {"upper", cased_as<Casing::kUpper>},
                                         {"zfill", zfill}};

}  // namespace

Method find_text_method(std::string_view name) { return find_named(kMethods, name); }

}  // namespace xkde::jinja
