#include "core/text/jinja/sequence_filters.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/text/jinja/evaluator.h"
#include "core/text/jinja/filters.h"
#include "core/text/jinja/python/arguments.h"
#include "core/text/jinja/python/operators.h"
#include "core/text/jinja/python/text_functions.h"
#include "core/text/jinja/tests.h"

namespace xkde::jinja {
namespace {

constexpr Sequence::Kind kIterator = Sequence::Kind::kIterator;

/// The value at "name.0.name" of an item; the item itself where there is no path.
Value value_at(Evaluator& evaluator, Value item, const Value* path) {
  Context& context = evaluator.context();
  if (path == nullptr || path->is<None>()) return item;
  if (!path->is_text()) return evaluator.item(item, *path);
  const Value parts = split_text(context, path->text(), ".", -1, false);
  for (const Value& part : parts.sequence()->items) {
    const std::string& name = part.text();
    int64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    const bool is_number = error == std::errc() && end == name.data() + name.size() && number >= 0;
    item = evaluator.item(item, is_number ? Value(number) : part);
  }
  return item;
}

/// A text in lower case, as filters that sort compare it.
Value without_case(Context& context, const Value& value) {
  return value.is_text() ? cased(context, value.text(), Casing::kLower) : value;
}

/// What a filter that sorts or counts compares of each item.
std::vector<Value> keys_of(Evaluator& evaluator, const std::vector<Value>& items,
                           const Value* attribute, const Value* case_sensitive) {
  Context& context = evaluator.context();
  if (attribute != nullptr && attribute->is_text() &&
      attribute->text().find(',') != std::string::npos)
    context.refuse("filter: expected one attribute, found several");
  const bool keeps_case = case_sensitive != nullptr && is_true(*case_sensitive);
  std::vector<Value> keys;
  for (const Value& item : items) {
    Value key = value_at(evaluator, item, attribute);
    keys.push_back(keeps_case ? key : without_case(context, key));
  }
  return keys;
}

/// The items in the order of their keys, equal ones as they stood.
std::vector<Value> sorted(Context& context, const std::vector<Value>& items,
                          const std::vector<Value>& keys, bool is_reversed) {
  std::vector<size_t> places(items.size());
  for (size_t i = 0; i < places.size(); ++i) places[i] = i;
  std::stable_sort(places.begin(), places.end(), [&](size_t a, size_t b) {
    const int ordering = order(context, keys[a], keys[b]);
    return is_reversed ? ordering > 0 : ordering < 0;
  });
  std::vector<Value> all;
  for (const size_t place : places) all.push_back(items[place]);
  return all;
}

Value sort(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter sort", arguments,
                             {"reverse", "case_sensitive", "attribute"});
  const SequencePtr items = items_of(context, value);
  const bool is_reversed = bound[0] != nullptr && is_true(*bound[0]);
  return context.sequence(sorted(
      context, items->items, keys_of(evaluator, items->items, bound[2], bound[1]), is_reversed));
}

Value dictsort(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter dictsort", arguments,
                             {"case_sensitive", "by", "reverse"});
  if (value.dict() == nullptr)
    context.refuse(concat("filter dictsort: expected a dict, ", found(value)));
  const std::string by = bound[1] == nullptr ? "key" : text_of(context, *bound[1]);
  if (by != "key" && by != "value")
    context.refuse(concat("filter dictsort: expected by key or value, found ", by));
  std::vector<Value> pairs;
  for (const auto& [key, entry] : value.dict()->entries)
    pairs.push_back(context.sequence({key, entry}, Sequence::Kind::kTuple));
  const Value place(static_cast<int64_t>(by == "value"));
  const bool is_reversed = bound[2] != nullptr && is_true(*bound[2]);
  return context.sequence(
      sorted(context, pairs, keys_of(evaluator, pairs, &place, bound[0]), is_reversed));
}

Value unique(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter unique", arguments, {"case_sensitive", "attribute"});
  const SequencePtr items = items_of(context, value);
  const std::vector<Value> keys = keys_of(evaluator, items->items, bound[1], bound[0]);
  std::vector<Value> seen, kept;
  for (size_t i = 0; i < keys.size(); ++i) {
    context.spend(1 + std::ssize(seen) / 8);
    const bool is_new = std::none_of(seen.begin(), seen.end(),
                                     [&](const Value& one) { return equal(one, keys[i]); });
    if (!is_new) continue;
    seen.push_back(keys[i]);
    kept.push_back(items->items[i]);
  }
  return context.sequence(std::move(kept), kIterator);
}

template <int sign>
Value extreme(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter min or max", arguments,
                             {"case_sensitive", "attribute"});
  const SequencePtr items = items_of(context, value);
  const std::vector<Value> keys = keys_of(evaluator, items->items, bound[1], bound[0]);
  if (keys.empty()) return {};
  size_t best = 0;
  for (size_t i = 1; i < keys.size(); ++i) {
    if (order(context, keys[i], keys[best]) * sign > 0) best = i;
  }
  return items->items[best];
}

Value sum(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter sum", arguments, {"attribute", "start"});
  Value total = bound[1] == nullptr ? Value(int64_t{0}) : *bound[1];
  for (const SequencePtr all = items_of(context, value); const Value& item : all->items)
    total = binary(context, Operator::kAdd, total, value_at(evaluator, item, bound[0]));
  return total;
}

Value length(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const BoundArguments none(evaluator.context(), "filter length", arguments, {});
  return length_of(evaluator.context(), value);
}

Value list(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments none(context, "filter list", arguments, {});
  return context.sequence(items_of(context, value)->items);
}

Value items_of(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments none(context, "filter items", arguments, {});
  std::vector<Value> pairs;
  if (!value.is<Undefined>() && value.dict() == nullptr)
    context.refuse(concat("filter items: expected a dict, ", found(value)));
  if (value.dict() != nullptr) {
    for (const auto& [key, entry] : value.dict()->entries)
      pairs.push_back(context.sequence({key, entry}, Sequence::Kind::kTuple));
  }
  return context.sequence(std::move(pairs), kIterator);
}

Value first(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments none(context, "filter first", arguments, {});
  if (value.is_text()) return item_at(context, value, 0);
  if (const Sequence* sequence = value.sequence()) {
    const size_t place = sequence->taken;
    if (place >= sequence->items.size()) return {};
    if (sequence->kind == kIterator) ++sequence->taken;
    return sequence->items[place];
  }
  const SequencePtr all = items_of(context, value);
  return all->items.empty() ? Value() : all->items.front();
}

void refuse_iterator(Context& context, std::string_view filter, const Value& value) {
  const bool is_iterator = value.sequence() != nullptr && value.sequence()->kind == kIterator;
  if (is_iterator)
    context.refuse(concat("filter ", filter, ": expected a value with an end, ", found(value)));
}

Value last(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments none(context, "filter last", arguments, {});
  refuse_iterator(context, "last", value);
  const SequencePtr all = items_of(context, value);
  return all->items.empty() ? Value() : all->items.back();
}

Value reverse(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments none(context, "filter reverse", arguments, {});
  if (value.is_text()) return slice(context, value, {.start = {}, .stop = {}, .step = -1});
  const bool is_list = value.sequence() != nullptr && value.sequence()->kind == kIterator;
  std::vector<Value> all = items_of(context, value)->items;
  std::reverse(all.begin(), all.end());
  return context.sequence(std::move(all), is_list ? Sequence::Kind::kList : kIterator);
}

Value join(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter join", arguments, {"d", "attribute"});
  const std::string between = bound[0] == nullptr ? "" : text_of(context, *bound[0]);
  std::string out;
  bool is_first = true;
  for (const SequencePtr all = items_of(context, value); const Value& item : all->items) {
    if (!is_first) {
      context.make(between.size());
      out += between;
    }
    is_first = false;
    append_text(context, out, value_at(evaluator, item, bound[1]));
  }
  return Value(std::move(out));
}

/// Parts of `size` items, the last one filled up or short.
Value batch(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "filter batch", arguments, {"linecount", "fill_with"}, 1);
  const int64_t size = whole_of(context, *bound[0], "filter batch");
  if (size < 1) context.refuse("filter batch: expected a positive size, found another");
  std::vector<Value> parts, part;
  for (const SequencePtr all = items_of(context, value); const Value& item : all->items) {
    if (std::ssize(part) == size) parts.push_back(context.sequence(std::exchange(part, {})));
    part.push_back(item);
  }
  const bool fills = bound[1] != nullptr && !bound[1]->is<None>();
  while (fills && !part.empty() && std::ssize(part) < size) {
    context.spend();
    part.push_back(*bound[1]);
  }
  if (!part.empty()) parts.push_back(context.sequence(std::move(part)));
  return context.sequence(std::move(parts), kIterator);
}

/// map(attribute="x.y", default=…), or map("filter", arguments…).
Value map(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  std::vector<Value> mapped;
  const SequencePtr all = items_of(context, value);
  if (arguments.positional.empty()) {
    const BoundArguments bound(context, "filter map", arguments, {"attribute", "default"}, 1);
    for (const Value& item : all->items) {
      Value found = value_at(evaluator, item, bound[0]);
      const bool replaces = found.is<Undefined>() && bound[1] != nullptr && !bound[1]->is<None>();
      mapped.push_back(replaces ? *bound[1] : std::move(found));
    }
    return context.sequence(std::move(mapped), kIterator);
  }
  const std::string& name = text_required(context, arguments.positional[0], "filter map");
  const Filter filter = find_filter(name);
  if (filter == nullptr)
    context.refuse(concat("filter map: expected one of ", filter_names(), ", found ", name));
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin());
  for (const Value& item : all->items) mapped.push_back(filter(evaluator, item, rest));
  return context.sequence(std::move(mapped), kIterator);
}

/// select, reject, selectattr and rejectattr: the items, or those with an attribute, that pass a
/// test or, without one, are true.
template <bool keeps, bool by_attribute>
Value select(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const size_t place = by_attribute ? 1 : 0;
  if (by_attribute && arguments.positional.empty())
    context.refuse("filter selectattr: expected the name of an attribute, found none");
  Test test = nullptr;
  Arguments rest;
  if (arguments.positional.size() > place) {
    const std::string& name = text_required(context, arguments.positional[place], "filter select");
    test = find_test(name);
    if (test == nullptr)
      context.refuse(concat("filter select: expected one of ", test_names(), ", found ", name));
    rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(place) + 1,
                           arguments.positional.end());
    rest.named = arguments.named;
  }
  std::vector<Value> kept;
  for (const SequencePtr all = items_of(context, value); const Value& item : all->items) {
    context.spend();
    const Value looked_at =
        by_attribute ? value_at(evaluator, item, &arguments.positional[0]) : item;
    const bool passes = test == nullptr ? is_true(looked_at) : test(evaluator, looked_at, rest);
    if (passes == keeps) kept.push_back(item);
  }
  return context.sequence(std::move(kept), kIterator);
}

constexpr NamedRow<Filter> kFilters[] = {{"batch", batch},
                                         {"count", length},
                                         {"dictsort", dictsort},
                                         {"first", first},
                                         {"items", items_of},
                                         {"join", join},
                                         {"last", last},
                                         {"length", length},
                                         {"list", list},
                                         {"map", map},
                                         {"max", extreme<1>},
                                         {"min", extreme<-1>},
                                         {"reject", select<false, false>},
                                         {"rejectattr", select<false, true>},
                                         {"reverse", reverse},
                                         {"select", select<true, false>},
                                         {"selectattr", select<true, true>},
                                         {"sort", sort},
                                         {"sum", sum},
                                         {"unique", unique}};

}  // namespace

std::span<const NamedRow<Filter>> sequence_filters() { return kFilters; }

}  // namespace xkde::jinja
