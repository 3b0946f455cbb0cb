#ifndef XKDE_CORE_TEXT_JINJA_EXPRESSION_PARSER_H_
#define XKDE_CORE_TEXT_JINJA_EXPRESSION_PARSER_H_

#include <initializer_list>
#include <string_view>
#include <vector>

#include "core/text/jinja/syntax.h"
#include "core/text/jinja/token_stream.h"

namespace xkde::jinja {

/// Reads expressions by Jinja's grammar. Throws ConfigError with the line.
class ExpressionParser {
 public:
  /// Both outlive the parser.
  ExpressionParser(TokenStream& stream, Symbols& symbols) : stream_(stream), symbols_(symbols) {}

  /// One expression, or a tuple without brackets. `with_condition`: "x if y else z" is one.
  ExpressionPtr tuple(bool with_condition = true);
  ExpressionPtr expression();
  ExpressionPtr without_condition() { return either(); }
  /// `inner | a | b(c)` where the tokens begin with the name of the first filter.
  ExpressionPtr filters(ExpressionPtr inner);
  /// What `set` (`with_attributes`: also of a namespace) and `for` assign to.
  Target target(bool with_attributes);

  ExpressionPtr make(Expression::Kind kind, int line, std::vector<ExpressionPtr> parts = {}) const;
  ExpressionPtr constant(Value value) const;

 private:
  ExpressionPtr either();
  ExpressionPtr both();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr joined();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filters);
  ExpressionPtr primary();
  ExpressionPtr name_or_constant();
  ExpressionPtr string();
  ExpressionPtr in_parentheses();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr inner);
  ExpressionPtr subscript(ExpressionPtr inner);
  ExpressionPtr attribute(ExpressionPtr inner);
  ExpressionPtr filters_and_tests(ExpressionPtr inner);
  ExpressionPtr filter(ExpressionPtr inner);
  ExpressionPtr test(ExpressionPtr inner);
  ExpressionPtr call(ExpressionPtr inner);
  void arguments(Expression& call);
  Target target_part(bool with_attributes);
  bool ends_tuple() const;
  ExpressionPtr binary(Operator sign, ExpressionPtr left, ExpressionPtr right) const;
  /// Sets the depth of a node whose parts are complete.
  ExpressionPtr finished(ExpressionPtr node) const;

  TokenStream& stream_;
  Symbols& symbols_;
};

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_EXPRESSION_PARSER_H_
