#include "core/text/jinja/tests.h"

#include "core/base/error.h"
#include "core/text/jinja/evaluator.h"
#include "core/text/jinja/filters.h"
#include "core/text/jinja/named_rows.h"
#include "core/text/jinja/python/arguments.h"
#include "core/text/jinja/python/operators.h"
#include "core/text/jinja/python/text_functions.h"

namespace xkde::jinja {
namespace {

void expect_none(Evaluator& evaluator, const Arguments& arguments) {
  const BoundArguments none(evaluator.context(), "test", arguments, {});
}

template <bool (*predicate)(const Value&)>
bool of_type(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  expect_none(evaluator, arguments);
  return predicate(value);
}

bool is_defined(const Value& value) { return !value.is<Undefined>(); }
bool is_undefined(const Value& value) { return value.is<Undefined>(); }
bool is_none(const Value& value) { return value.is<None>(); }
bool is_boolean(const Value& value) { return value.is<bool>(); }
bool is_true_itself(const Value& value) { return value.is<bool>() && *value.as<bool>(); }
bool is_false_itself(const Value& value) { return value.is<bool>() && !*value.as<bool>(); }
bool is_integer(const Value& value) { return value.is<int64_t>(); }
bool is_float(const Value& value) { return value.is<double>(); }
bool is_number(const Value& value) { return real_of(value).has_value(); }
bool is_string(const Value& value) { return value.is_text(); }
bool is_mapping(const Value& value) { return value.dict() != nullptr; }
bool is_callable(const Value& value) { return value.is<std::shared_ptr<const Callable>>(); }
bool is_loop(const Value& value) { return value.is<std::shared_ptr<LoopState>>(); }
bool is_safe(const Value& value) { return value.is_text() && value.as<Text>()->is_safe; }

/// Python's iter() works: also on undefined values.
bool is_iterable(const Value& value) {
  return value.is_text() || value.dict() != nullptr || value.sequence() != nullptr ||
         value.is<Undefined>() || is_loop(value);
}

/// What has a length and items, by Jinja.
bool is_sequence(const Value& value) {
  const Sequence* sequence = value.sequence();
  return value.is_text() || value.dict() != nullptr || value.is<Undefined>() ||
         (sequence != nullptr && sequence->has_places());
}

template <Operator sign>
bool compares(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const BoundArguments bound(evaluator.context(), "test", arguments, {"other"}, 1);
  return compare(evaluator.context(), sign, value, *bound[0]);
}

template <int rest>
bool has_parity(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  expect_none(evaluator, arguments);
  return (whole_of(evaluator.context(), value, "test") & 1) == rest;
}

bool divisible_by(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "test divisibleby", arguments, {"number"}, 1);
  return !is_true(binary(context, Operator::kModulo, value, *bound[0]));
}

/// The same object in Python: for what is not one of a kind, by value.
bool same_as(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const BoundArguments bound(evaluator.context(), "test sameas", arguments, {"other"}, 1);
  const Value& other = *bound[0];
  const bool is_single = value.is<None>() || value.is<bool>() || value.is<int64_t>();
  const bool other_is_single = other.is<None>() || other.is<bool>() || other.is<int64_t>();
  if (!is_single && !other_is_single)
    evaluator.context().refuse(
        concat("test sameas: expected none, true, false or a whole number, ", found(value)));
  return value.type_name() == other.type_name() && equal(value, other);
}

template <char kind>
bool has_case(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  expect_none(evaluator, arguments);
  return consists_of(evaluator.context(), text_of(evaluator.context(), value), kind);
}

bool is_filter(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  expect_none(evaluator, arguments);
  return find_filter(text_required(evaluator.context(), value, "test filter")) != nullptr;
}

bool is_test(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  expect_none(evaluator, arguments);
  return find_test(text_required(evaluator.context(), value, "test test")) != nullptr;
}

constexpr NamedRow<Test> kTests[] = {{"boolean", of_type<is_boolean>},
                                     {"callable", of_type<is_callable>},
                                     {"defined", of_type<is_defined>},
                                     {"divisibleby", divisible_by},
                                     {"eq", compares<Operator::kEqual>},
                                     {"equalto", compares<Operator::kEqual>},
                                     {"escaped", of_type<is_safe>},
                                     {"even", has_parity<0>},
                                     {"false", of_type<is_false_itself>},
                                     {"filter", is_filter},
                                     {"float", of_type<is_float>},
                                     {"ge", compares<Operator::kGreaterEqual>},
                                     {"greaterthan", compares<Operator::kGreater>},
                                     {"gt", compares<Operator::kGreater>},
                                     {"in", compares<Operator::kIn>},
                                     {"integer", of_type<is_integer>},
                                     {"iterable", of_type<is_iterable>},
                                     {"le", compares<Operator::kLessEqual>},
                                     {"lessthan", compares<Operator::kLess>},
                                     {"lower", has_case<'l'>},
                                     {"lt", compares<Operator::kLess>},
                                     {"mapping", of_type<is_mapping>},
                                     {"ne", compares<Operator::kUnequal>},
                                     {"none", of_type<is_none>},
                                     {"number", of_type<is_number>},
                                     {"odd", has_parity<1>},
                                     {"sameas", same_as},
                                     {"sequence", of_type<is_sequence>},
                                     {"string", of_type<is_string>},
                                     {"test", is_test},
                                     {"true", of_type<is_true_itself>},
                                     {"undefined", of_type<is_undefined>},
                                     {"upper", has_case<'u'>},
                                     // By these names only where a filter takes a test's name.
                                     {"!=", compares<Operator::kUnequal>},
                                     {"<", compares<Operator::kLess>},
                                     {"<=", compares<Operator::kLessEqual>},
                                     {"==", compares<Operator::kEqual>},
                                     {">", compares<Operator::kGreater>},
                                     {">=", compares<Operator::kGreaterEqual>}};

}  // namespace

Test find_test(std::string_view name) { return find_named(kTests, name); }

std::string test_names() {
  std::string names;
  for (const NamedRow<Test>& entry : kTests) names += concat(names.empty() ? "" : ", ", entry.name);
  return names;
}

}  // namespace xkde::jinja
