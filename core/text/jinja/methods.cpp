#include "core/text/jinja/methods.h"

#include <algorithm>
#include <iterator>

#include "core/base/error.h"
#include "core/text/jinja/evaluator.h"
#include "core/text/jinja/named_rows.h"
#include "core/text/jinja/python/arguments.h"
#include "core/text/jinja/python/operators.h"
#include "core/text/jinja/text_methods.h"

namespace xkde::jinja {
namespace {

Value keys(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const BoundArguments none(evaluator.context(), "keys", arguments, {});
  std::vector<Value> all;
  for (const auto& [key, value] : self.dict()->entries) all.push_back(key);
  return evaluator.context().sequence(std::move(all), Sequence::Kind::kView);
}

Value values(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const BoundArguments none(evaluator.context(), "values", arguments, {});
  std::vector<Value> all;
  for (const auto& [key, value] : self.dict()->entries) all.push_back(value);
  return evaluator.context().sequence(std::move(all), Sequence::Kind::kView);
}

Value items(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments none(context, "items", arguments, {});
  std::vector<Value> all;
  for (const auto& [key, value] : self.dict()->entries)
    all.push_back(context.sequence({key, value}, Sequence::Kind::kTuple));
  return context.sequence(std::move(all), Sequence::Kind::kView);
}

Value get(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const BoundArguments bound(evaluator.context(), "get", arguments, {"key", "default"}, 1);
  evaluator.context().spend(std::ssize(self.dict()->entries) / 8);
  if (const Value* value = self.dict()->find(*bound[0])) return *value;
  return bound[1] == nullptr ? Value(None{}) : *bound[1];
}

Value copy(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const BoundArguments none(evaluator.context(), "copy", arguments, {});
  return self;  // values never change
}

Value count(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const BoundArguments bound(evaluator.context(), "count", arguments, {"value"}, 1);
  const std::vector<Value>& all = self.sequence()->items;
  evaluator.context().spend(std::ssize(all));
  return static_cast<int64_t>(std::count_if(
      all.begin(), all.end(), [&](const Value& one) { return equal(one, *bound[0]); }));
}

Value index(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const BoundArguments bound(evaluator.context(), "index", arguments, {"value"}, 1);
  const std::vector<Value>& all = self.sequence()->items;
  evaluator.context().spend(std::ssize(all));
  for (size_t i = 0; i < all.size(); ++i) {
    if (equal(all[i], *bound[0])) return static_cast<int64_t>(i);
  }
  evaluator.context().refuse("index: expected a value of the list, found another");
}

/// loop.cycle(a, b, …): one of them for each round, in turn.
Value cycle(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  if (arguments.positional.empty() || !arguments.named.empty())
    evaluator.context().refuse("cycle: expected values without names, found none");
  const size_t round = (*self.as<std::shared_ptr<LoopState>>())->index;
  return arguments.positional[round % arguments.positional.size()];
}

constexpr NamedRow<Method> kDictMethods[] = {
    {"keys", keys}, {"values", values}, {"items", items}, {"get", get}, {"copy", copy}};
constexpr NamedRow<Method> kListMethods[] = {{"count", count}, {"index", index}, {"copy", copy}};
constexpr NamedRow<Method> kTupleMethods[] = {{"count", count}, {"index", index}};
constexpr NamedRow<Method> kLoopMethods[] = {{"cycle", cycle}};

/// What Python's types have beside these.
constexpr std::string_view kOtherDictMethods[] = {"clear",   "fromkeys",   "pop",
                                                  "popitem", "setdefault", "update"};
constexpr std::string_view kOtherListMethods[] = {"append", "clear",  "extend",  "insert",
                                                  "pop",    "remove", "reverse", "sort"};
constexpr std::string_view kOtherTextMethods[] = {
    "casefold",     "encode",    "expandtabs",  "format_map", "isdecimal",
    "isidentifier", "isnumeric", "isprintable", "istitle",    "maketrans",
    "rpartition",   "swapcase",  "translate",   "rindex",     "partition"};
constexpr std::string_view kNumberMethods[] = {
    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "imag",
    "is_integer",       "numerator", "real",       "to_bytes",  "hex",         "fromhex"};

template <size_t size>
void refuse_if_listed(Context& context, const Value& self, std::string_view name,
                      const std::string_view (&names)[size]) {
  if (std::find(std::begin(names), std::end(names), name) != std::end(names))
    context.refuse(concat(self.type_name(),
                          ": expected a method that a chat template may call here, found ", name));
}

}  // namespace

Method find_method(Context& context, const Value& self, std::string_view name) {
  if (self.is_text()) {
    if (const Method method = find_text_method(name)) return method;
    refuse_if_listed(context, self, name, kOtherTextMethods);
  } else if (self.dict() != nullptr) {
    if (const Method method = find_named(kDictMethods, name)) return method;
    refuse_if_listed(context, self, name, kOtherDictMethods);
  } else if (const Sequence* sequence = self.sequence()) {
    if (sequence->kind == Sequence::Kind::kTuple) return find_named(kTupleMethods, name);
    if (sequence->kind != Sequence::Kind::kList) return nullptr;
    if (const Method method = find_named(kListMethods, name)) return method;
    refuse_if_listed(context, self, name, kOtherListMethods);
  } else if (self.is<std::shared_ptr<LoopState>>()) {
    return find_named(kLoopMethods, name);
  } else if (self.is<int64_t>() || self.is<double>() || self.is<bool>()) {
    refuse_if_listed(context, self, name, kNumberMethods);
  }
  return nullptr;
}

}  // namespace xkde::jinja
