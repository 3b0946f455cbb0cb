#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_ARGUMENTS_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_ARGUMENTS_H_

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/text/jinja/python/context.h"
#include "core/text/jinja/python/value.h"

namespace xkde::jinja {

/// Arguments of a call, worked out.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;
};
/// Arguments by the names of parameters. Refuses too many, unknown and doubled ones.
class BoundArguments {
 public:
  /// `what` begins messages: "filter join". `required`: how many must be there, from the first on.
  BoundArguments(Context& context, std::string_view what, const Arguments& arguments,
                 std::initializer_list<std::string_view> names, size_t required = 0)
      : values_(names.size(), nullptr) {
    if (arguments.positional.size() > names.size())
      context.refuse(concat(what, ": expected at most ", names.size(), " arguments, found ",
                            arguments.positional.size()));
    for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
    for (const auto& [name, value] : arguments.named) {
      const auto found = std::find(names.begin(), names.end(), name);
      if (found == names.end() || values_[static_cast<size_t>(found - names.begin())] != nullptr)
        context.refuse(
            concat(what, ": expected arguments that it has, each once, found \"", name, "\""));
      values_[static_cast<size_t>(found - names.begin())] = &value;
    }
    for (size_t i = 0; i < required; ++i) {
      if (values_[i] == nullptr)
        context.refuse(
            concat(what, ": expected an argument \"", *(names.begin() + i), "\", found none"));
    }
  }

  /// Null: not given.
  const Value* operator[](size_t i) const { return values_[i]; }

 private:
  std::vector<const Value*> values_;
};

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_ARGUMENTS_H_
