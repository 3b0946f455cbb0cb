#include "core/text/jinja/functions.h"

#include "core/base/error.h"
#include "core/text/jinja/evaluator.h"
#include "core/text/jinja/named_rows.h"
#include "core/text/jinja/python/arguments.h"
#include "core/text/jinja/python/operators.h"
#include "core/text/jinja/python/time_text.h"

namespace xkde::jinja {
namespace {

Value range(Evaluator& evaluator, const Arguments& arguments) {
  Context& context = evaluator.context();
  const size_t count = arguments.positional.size();
  if (count < 1 || count > 3 || !arguments.named.empty())
    context.refuse(concat("range: expected 1 to 3 numbers, found ", count, " arguments"));
  const auto number = [&](size_t i) { return whole_of(context, arguments.positional[i], "range"); };
  const int64_t start = count == 1 ? 0 : number(0);
  const int64_t stop = number(count == 1 ? 0 : 1);
  const int64_t step = count == 3 ? number(2) : 1;
  if (step == 0) context.refuse("range: expected a step other than 0, found 0");
  std::vector<Value> numbers;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (std::ssize(numbers) == Limits::kRange)
      context.refuse(concat("range: expected at most ", Limits::kRange, " numbers, found more"));
    numbers.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return context.sequence(std::move(numbers), Sequence::Kind::kRange);
}

Value dict(Evaluator& evaluator, const Arguments& arguments) {
  Context& context = evaluator.context();
  Dict made;
  if (arguments.positional.size() > 1 ||
      (!arguments.positional.empty() && arguments.positional[0].dict() == nullptr))
    context.refuse("dict: expected at most one dict and named values, found other arguments");
  if (!arguments.positional.empty()) made = *arguments.positional[0].dict();
  for (const auto& [name, value] : arguments.named) {
    context.spend(std::ssize(made.entries) / 8);
    made.put(Value(name), value);
  }
  return context.dict(std::move(made));
}

void check_attribute(Context& context, std::string_view name) {
  if (name.starts_with('_'))
    context.refuse(concat("namespace: expected a name that does not begin with _, found ", name));
}

Value make_namespace(Evaluator& evaluator, const Arguments& arguments) {
  Context& context = evaluator.context();
  const Value merged = dict(evaluator, arguments);
  Namespace& names = evaluator.make_namespace();
  for (const auto& [name, value] : merged.dict()->entries) {
    const std::string& text = text_required(context, name, "namespace");
    check_attribute(context, text);
    names.names.emplace_back(text, value);
  }
  return &names;
}

Value raise_exception(Evaluator& evaluator, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "raise_exception", arguments, {"message"}, 1);
  context.turn_away(text_of(context, *bound[0]));
}

Value strftime_now(Evaluator& evaluator, const Arguments& arguments) {
  Context& context = evaluator.context();
  const BoundArguments bound(context, "strftime_now", arguments, {"format"}, 1);
  if (!context.clock())
    context.refuse("strftime_now: expected a day in the recipe (model.chat_date), found none");
  return context.text(
      time_text(context, text_required(context, *bound[0], "strftime_now"), *context.clock()));
}

constexpr NamedRow<Function> kFunctions[] = {{"range", range},
                                             {"dict", dict},
                                             {"namespace", make_namespace},
                                             {"raise_exception", raise_exception},
                                             {"strftime_now", strftime_now}};

}  // namespace

Function find_function(std::string_view name) { return find_named(kFunctions, name); }

}  // namespace xkde::jinja
