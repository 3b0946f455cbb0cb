#include "core/text/jinja/python/value.h"

#include <algorithm>
#include <optional>

namespace xkde::jinja {
namespace {

/// A number of any type as the larger of the two types; whole numbers are compared as such.
struct Number {
  bool is_whole = true;
  int64_t whole = 0;
  double real = 0.0;
};

std::optional<Number> number_of(const Value& value) {
  if (const bool* flag = value.as<bool>()) return Number{true, *flag ? 1 : 0, *flag ? 1.0 : 0.0};
  if (const int64_t* whole = value.as<int64_t>())
    return Number{true, *whole, static_cast<double>(*whole)};
  if (const double* real = value.as<double>()) return Number{false, 0, *real};
  return std::nullopt;
}

bool equal_numbers(const Number& a, const Number& b) {
  return a.is_whole && b.is_whole ? a.whole == b.whole : a.real == b.real;
}

bool equal_sequences(const Sequence& a, const Sequence& b) {
  if (&a == &b) return true;
  if (a.kind != b.kind || a.kind == Sequence::Kind::kIterator) return false;
  return std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), equal);
}

bool equal_dicts(const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const auto& entry) {
    const Value* other = b.find(entry.first);
    return other != nullptr && equal(entry.second, *other);
  });
}

}  // namespace

const Value* Dict::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name.is_text() && name.text() == key) return &value;
  }
  return nullptr;
}

const Value* Dict::find(const Value& key) const {
  if (key.is_text()) return find(std::string_view(key.text()));
  for (const auto& [name, value] : entries) {
    if (equal(name, key)) return &value;
  }
  return nullptr;
}

void Dict::put(Value key, Value value) {
  depth = std::max({depth, key.depth() + 1, value.depth() + 1});
  if (const Value* old = find(key)) {
    *const_cast<Value*>(old) = std::move(value);  // NOLINT: of this dict, which is not constant
    return;
  }
  entries.emplace_back(std::move(key), std::move(value));
}

std::string_view Value::type_name() const {
  constexpr std::string_view kNames[] = {"undefined", "none",     "bool", "int",
                                         "float",     "str",      "list", "dict",
                                         "namespace", "function", "loop"};
  if (const Sequence* items = sequence()) {
    if (items->kind == Sequence::Kind::kTuple) return "tuple";
    if (items->kind == Sequence::Kind::kIterator) return "generator";
    if (items->kind == Sequence::Kind::kView) return "view";
    if (items->kind == Sequence::Kind::kRange) return "range";
  }
  return kNames[held_.index()];
}

int Value::depth() const noexcept {
  if (const Sequence* items = sequence()) return items->depth;
  if (const Dict* entries = dict()) return entries->depth;
  return 0;
}

bool equal(const Value& a, const Value& b) {
  if (a.is_text() && b.is_text()) return a.text() == b.text();
  const auto left = number_of(a);
  const auto right = number_of(b);
  if (left && right) return equal_numbers(*left, *right);
  if (a.sequence() != nullptr && b.sequence() != nullptr)
    return equal_sequences(*a.sequence(), *b.sequence());
  if (a.dict() != nullptr && b.dict() != nullptr) return equal_dicts(*a.dict(), *b.dict());
  if (a.is<None>() || a.is<Undefined>())
    return a.is<None>() == b.is<None>() && a.is<Undefined>() == b.is<Undefined>();
  if (a.is<Namespace*>() && b.is<Namespace*>()) return *a.as<Namespace*>() == *b.as<Namespace*>();
  const auto* loop = a.as<std::shared_ptr<LoopState>>();
  const auto* other_loop = b.as<std::shared_ptr<LoopState>>();
  if (loop != nullptr && other_loop != nullptr) return *loop == *other_loop;
  const auto* function = a.as<std::shared_ptr<const Callable>>();
  const auto* other = b.as<std::shared_ptr<const Callable>>();
  return function != nullptr && other != nullptr && *function == *other;
}

bool is_true(const Value& value) {
  if (const bool* flag = value.as<bool>()) return *flag;
  if (value.is<Undefined>() || value.is<None>()) return false;
  if (const int64_t* whole = value.as<int64_t>()) return *whole != 0;
  if (const double* real = value.as<double>()) return *real != 0.0;
  if (value.is_text()) return !value.text().empty();
  if (const Sequence* items = value.sequence())
    return items->kind == Sequence::Kind::kIterator || !items->items.empty();
  if (const Dict* entries = value.dict()) return !entries->entries.empty();
  return true;
}

}  // namespace xkde::jinja
