#ifndef XKDE_CORE_TEXT_JINJA_EVALUATOR_H_
#define XKDE_CORE_TEXT_JINJA_EVALUATOR_H_

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/python/context.h"
#include "core/text/jinja/python/value.h"
#include "core/text/jinja/scope.h"
#include "core/text/jinja/syntax.h"

namespace xkde::jinja {

/// Names and values that a template sees.
using Variables = std::vector<std::pair<std::string_view, Value>>;

/// Works out the expressions of one rendering, and calls what can be called.
class Evaluator {
 public:
  /// All outlive the evaluator.
  Evaluator(const Syntax& syntax, Context& context, const Variables& variables);
  virtual ~Evaluator() = default;
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  Value evaluate(const Expression& expression);
  /// Filters of `expression` around `innermost`, which takes the place of its constant.
  Value filtered(const Expression& expression, const Value& innermost);
  Value call(const Value& function, const Arguments& arguments);
  /// value.name and value[key]; undefined where there is none.
  Value attribute(const Value& value, std::string_view name);
  Value item(const Value& value, const Value& key);

  Context& context() noexcept { return context_; }
  /// A new one, which lives as long as the rendering.
  Namespace& make_namespace() { return namespaces_.emplace_back(); }

 protected:
  /// What `macro` writes for `arguments`.
  virtual Value call_macro(const Callable& macro, const Arguments& arguments) = 0;

  /// Holds how deep evaluations stand in each other against the limit.
  class Depth {
   public:
    explicit Depth(Evaluator& evaluator) : depth_(evaluator.depth_) {
      if (++depth_ > Limits::kCallDepth) evaluator.refuse_depth();
    }
    ~Depth() { --depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    int& depth_;
  };

  const Syntax& syntax_;
  Context& context_;
  Scopes scopes_;
  Scope* scope_;

 private:
  [[noreturn]] void refuse_depth() const;
  Value lookup(Symbol name);
  Value compare_chain(const Expression& expression);
  Value call_expression(const Expression& expression);
  Value filter_of(const Expression& expression, const Value& value);
  Value test_of(const Expression& expression);
  Value slice_of(const Expression& expression);
  Value collection(const Expression& expression);
  Value joined(const Expression& expression);
  Arguments arguments_of(const Expression& expression);

  std::deque<Namespace> namespaces_;
  int depth_ = 0;
};

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_EVALUATOR_H_
