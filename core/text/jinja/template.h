#ifndef XKDE_CORE_TEXT_JINJA_TEMPLATE_H_
#define XKDE_CORE_TEXT_JINJA_TEMPLATE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/evaluator.h"
#include "core/text/jinja/python/context.h"

namespace xkde::jinja {

struct Rendered {
  std::string text;
  /// Offsets [begin, end) of what stood between {% generation %} and {% endgeneration %}, in order.
  std::vector<std::pair<size_t, size_t>> generated;
};

/// A chat template in the language of Jinja 3.1.6, as transformers 5.24 sets it up: its filters,
/// tests and functions, trim_blocks, lstrip_blocks, break and continue, {% generation %}, no way to
/// change a list or a dict. What it writes is what apply_chat_template writes, or it is refused.
/// Immutable, thread-safe.
class Template {
 public:
  /// `name` begins messages: "chat_template". Throws ConfigError "NAME: line 3: expected …, found
  /// …" for what is not Jinja, or statements that are not known here.
  static Template parse(std::string_view source, const std::string& name);

  /// The names in `variables` live during the call. `clock`: what strftime_now() tells. Throws
  /// ConfigError "NAME: line 3: …" for a construct that is not known here, for what is an error in
  /// Python and for a breach of Limits, and DataError where the template itself turns the
  /// conversation away (raise_exception).
  Rendered render(const Variables& variables, const std::optional<Clock>& clock = {}) const;

  bool has_generation() const noexcept;

 private:
  Template(Syntax syntax, std::string name);
  std::shared_ptr<const Syntax> syntax_;
  std::string name_;
};

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_TEMPLATE_H_
