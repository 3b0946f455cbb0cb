#include "core/text/jinja/evaluator.h"

#include <algorithm>
#include <array>
#include <memory>

#include "core/base/error.h"
#include "core/text/jinja/filters.h"
#include "core/text/jinja/functions.h"
#include "core/text/jinja/methods.h"
#include "core/text/jinja/python/operators.h"
#include "core/text/jinja/tests.h"

namespace xkde::jinja {
namespace {

using Kind = Expression::Kind;

/// Names that Jinja gives a meaning which is not kept here.
constexpr std::array<std::string_view, 3> kRefusedNames{"self", "varargs", "kwargs"};

Value loop_attribute(Evaluator& evaluator, LoopState& loop, std::string_view name) {
  const auto number = [](size_t value) { return Value(static_cast<int64_t>(value)); };
  if (name == "index") return number(loop.index + 1);
  if (name == "index0") return number(loop.index);
  if (name == "first") return loop.index == 0;
  if (name == "last") return !loop.reaches(loop.index + 1);
  if (name == "nextitem")
    return loop.reaches(loop.index + 1) ? *loop.passed[loop.index + 1] : Value();
  if (name == "previtem") return loop.index > 0 ? *loop.passed[loop.index - 1] : Value();
  if (name == "depth") return int64_t{1};  // loops that call themselves are refused
  if (name == "depth0") return int64_t{0};
  const bool counts = name == "length" || name == "revindex" || name == "revindex0";
  if (!counts) {
    evaluator.context().refuse(
        concat("loop: expected index, index0, revindex, revindex0, first, last, length, previtem, "
               "nextitem, depth, depth0 or cycle, found ",
               name));
  }
  loop.reaches(loop.items->items.size());
  if (name == "length") return number(loop.passed.size());
  return number(loop.passed.size() - loop.index - (name == "revindex0" ? 1 : 0));
}

}  // namespace

Evaluator::Evaluator(const Syntax& syntax, Context& context, const Variables& variables)
    : syntax_(syntax), context_(context), scope_(&scopes_.open(nullptr)) {
  for (const auto& [name, value] : variables) {
    if (const Symbol symbol = syntax.symbols.find(name)) scope_->set(symbol, value);
  }
}

void Evaluator::refuse_depth() const {
  context_.refuse(concat("expected evaluations at most ", Limits::kCallDepth,
                         " deep in each other, found more"));
}

Value Evaluator::lookup(Symbol name) {
  if (const Value* value = scope_->find(name)) return *value;
  if (find_function(*name) != nullptr) {
    auto function = std::make_shared<Callable>();
    function->name = *name;
    return std::shared_ptr<const Callable>(std::move(function));
  }
  if (std::find(kRefusedNames.begin(), kRefusedNames.end(), *name) != kRefusedNames.end())
    context_.refuse(concat("expected names that are known here, found \"", *name, "\""));
  return Undefined{name};
}

Value Evaluator::evaluate(const Expression& expression) {
  const Depth depth(*this);
  context_.spend();
  context_.line = expression.line;
  switch (expression.kind) {
    case Kind::kConstant:
      return expression.constant;
    case Kind::kName:
      return lookup(expression.symbol);
    case Kind::kAttribute: {
      Value value = attribute(evaluate(*expression.parts[0]), *expression.symbol);
      return value.is<Undefined>() ? Value(Undefined{expression.symbol}) : value;
    }
    case Kind::kItem: {
      const Value owner = evaluate(*expression.parts[0]);
      Value value = item(owner, evaluate(*expression.parts[1]));
      return value.is<Undefined>() ? Value(Undefined{expression.symbol}) : value;
    }
    case Kind::kSlice:
      return slice_of(expression);
    case Kind::kCall:
      return call_expression(expression);
    case Kind::kFilter:
      return filter_of(expression, evaluate(*expression.parts[0]));
    case Kind::kTest:
      return test_of(expression);
    case Kind::kNot:
      return !is_true(evaluate(*expression.parts[0]));
    case Kind::kNegative:
      return negative(context_, evaluate(*expression.parts[0]));
    case Kind::kPositive: {
      Value value = evaluate(*expression.parts[0]);
      if (!real_of(value)) context_.refuse(concat("expected a number after +, ", found(value)));
      return value.is<bool>() ? Value(whole_of(context_, value, "+")) : value;
    }
    case Kind::kBinary: {
      const Value left = evaluate(*expression.parts[0]);
      return binary(context_, expression.operators[0], left, evaluate(*expression.parts[1]));
    }
    case Kind::kConcat:
      return joined(expression);
    case Kind::kCompare:
      return compare_chain(expression);
    case Kind::kAnd:
    case Kind::kOr: {
      Value left = evaluate(*expression.parts[0]);
      const bool decides = is_true(left) == (expression.kind == Kind::kOr);
      return decides ? left : evaluate(*expression.parts[1]);
    }
    case Kind::kCondition:
      if (is_true(evaluate(*expression.parts[0]))) return evaluate(*expression.parts[1]);
      return expression.parts[2] ? evaluate(*expression.parts[2]) : Value();
    case Kind::kTuple:
    case Kind::kList:
    case Kind::kDict:
      return collection(expression);
  }
  throw InternalError("template expression: not one of the enumerators");
}

Value Evaluator::joined(const Expression& expression) {
  std::string out;
  for (const ExpressionPtr& part : expression.parts) append_text(context_, out, evaluate(*part));
  return context_.text(std::move(out));
}

Value Evaluator::compare_chain(const Expression& expression) {
  Value left = evaluate(*expression.parts[0]);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = evaluate(*expression.parts[i + 1]);
    if (!compare(context_, expression.operators[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Evaluator::collection(const Expression& expression) {
  if (expression.kind == Kind::kDict) {
    Dict dict;
    for (size_t i = 0; i < expression.parts.size(); i += 2) {
      Value key = evaluate(*expression.parts[i]);
      if (key.depth() > 0) context_.refuse(concat("expected a key of a dict, ", found(key)));
      context_.spend(std::ssize(dict.entries) / 8);
      dict.put(std::move(key), evaluate(*expression.parts[i + 1]));
    }
    return context_.dict(std::move(dict));
  }
  std::vector<Value> items;
  for (const ExpressionPtr& part : expression.parts) items.push_back(evaluate(*part));
  return context_.sequence(std::move(items), expression.kind == Kind::kTuple
                                                 ? Sequence::Kind::kTuple
                                                 : Sequence::Kind::kList);
}

Value Evaluator::slice_of(const Expression& expression) {
  const Value value = evaluate(*expression.parts[0]);
  const auto bound = [&](size_t part) -> std::optional<int64_t> {
    if (!expression.parts[part]) return std::nullopt;
    const Value given = evaluate(*expression.parts[part]);
    if (given.is<None>()) return std::nullopt;
    return whole_of(context_, given, "slice");
  };
  SliceBounds bounds;
  bounds.start = bound(1);
  bounds.stop = bound(2);
  bounds.step = bound(3);
  return slice(context_, value, bounds);
}

Arguments Evaluator::arguments_of(const Expression& expression) {
  Arguments arguments;
  arguments.positional.reserve(expression.parts.size());
  for (size_t i = 1; i < expression.parts.size(); ++i)
    arguments.positional.push_back(evaluate(*expression.parts[i]));
  for (const auto& [name, value] : expression.named)
    arguments.named.emplace_back(*name, evaluate(*value));
  return arguments;
}

Value Evaluator::call_expression(const Expression& expression) {
  const Expression& called = *expression.parts[0];
  if (called.kind == Kind::kName && scope_->find(called.symbol) == nullptr) {
    if (const Function function = find_function(*called.symbol)) {
      const Arguments arguments = arguments_of(expression);
      context_.line = expression.line;
      return function(*this, arguments);
    }
  }
  if (called.kind == Kind::kAttribute) {
    const Value self = evaluate(*called.parts[0]);
    context_.line = called.line;
    if (const Method method = find_method(context_, self, *called.symbol)) {
      const Arguments arguments = arguments_of(expression);
      context_.line = called.line;
      return method(*this, self, arguments);
    }
    const Value function = attribute(self, *called.symbol);
    if (function.is<Undefined>())
      context_.refuse(concat(self.type_name(), ": expected a method or a function, found \"",
                             *called.symbol, "\""));
    return call(function, arguments_of(expression));
  }
  const Value function = evaluate(called);
  const Arguments arguments = arguments_of(expression);
  context_.line = expression.line;
  return call(function, arguments);
}

Value Evaluator::call(const Value& function, const Arguments& arguments) {
  const auto* callable = function.as<std::shared_ptr<const Callable>>();
  if (callable == nullptr)
    context_.refuse(concat("expected a function to call, ", found(function)));
  const Callable& called = **callable;
  switch (called.kind) {
    case Callable::Kind::kMacro:
      return call_macro(called, arguments);
    case Callable::Kind::kFunction:
      return find_function(called.name)(*this, arguments);
    case Callable::Kind::kMethod:
      return find_method(context_, called.self, called.name)(*this, called.self, arguments);
  }
  throw InternalError("template function: not one of the enumerators");
}

Value Evaluator::filter_of(const Expression& expression, const Value& value) {
  if (expression.filter == nullptr) {
    context_.refuse(
        concat("filter: expected one of ", filter_names(), ", found ", *expression.symbol));
  }
  const Arguments arguments = arguments_of(expression);
  context_.line = expression.line;
  if (value.is_text() && value.as<Text>()->is_safe && *expression.symbol != "safe" &&
      *expression.symbol != "string" && *expression.symbol != "length") {
    context_.refuse(concat("expected a text that is not marked \"safe\" before the filter ",
                           *expression.symbol, ", found one that is"));
  }
  return expression.filter(*this, value, arguments);
}

Value Evaluator::filtered(const Expression& expression, const Value& innermost) {
  if (expression.kind != Kind::kFilter) return innermost;
  return filter_of(expression, filtered(*expression.parts[0], innermost));
}

Value Evaluator::test_of(const Expression& expression) {
  const Value value = evaluate(*expression.parts[0]);
  if (expression.test == nullptr)
    context_.refuse(concat("test: expected one of ", test_names(), ", found ", *expression.symbol));
  const Arguments arguments = arguments_of(expression);
  context_.line = expression.line;
  return expression.test(*this, value, arguments);
}

Value Evaluator::attribute(const Value& value, std::string_view name) {
  if (value.is<Undefined>())
    context_.refuse(concat("expected a value with \"", name, "\", ", found(value)));
  if (find_method(context_, value, name) != nullptr) {
    auto method = std::make_shared<Callable>();
    method->kind = Callable::Kind::kMethod;
    method->name = name;
    method->self = value;
    return std::shared_ptr<const Callable>(std::move(method));
  }
  if (const Dict* dict = value.dict()) {
    const Value* entry = dict->find(name);
    return entry == nullptr ? Value() : *entry;
  }
  if (Namespace* const* names = value.as<Namespace*>()) {
    for (const auto& [own, entry] : (*names)->names)
      if (own == name) return entry;
  }
  if (const auto* loop = value.as<std::shared_ptr<LoopState>>())
    return loop_attribute(*this, **loop, name);
  return {};
}

Value Evaluator::item(const Value& value, const Value& key) {
  if (value.is<Undefined>())
    context_.refuse(concat("expected a value that has items, ", found(value)));
  if (const Dict* dict = value.dict()) {
    context_.spend(std::ssize(dict->entries) / 8);
    if (const Value* entry = dict->find(key)) return *entry;
  } else if (const int64_t* index = key.as<int64_t>()) {
    return item_at(context_, value, *index);
  } else if (const bool* flag = key.as<bool>()) {
    return item_at(context_, value, *flag ? 1 : 0);
  }
  return key.is_text() ? attribute(value, key.text()) : Value();
}

}  // namespace xkde::jinja
