#include "core/text/jinja/expression_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/text/jinja/filters.h"
#include "core/text/jinja/tests.h"

namespace xkde::jinja {
namespace {

using Kind = Expression::Kind;

struct Sign {
  std::string_view text;
  Operator meaning;
};
constexpr Sign kComparisons[] = {{"==", Operator::kEqual},  {"!=", Operator::kUnequal},
                                 {"<", Operator::kLess},    {"<=", Operator::kLessEqual},
                                 {">", Operator::kGreater}, {">=", Operator::kGreaterEqual}};
constexpr Sign kSums[] = {{"+", Operator::kAdd}, {"-", Operator::kSubtract}};
constexpr Sign kProducts[] = {{"*", Operator::kMultiply},
                              {"/", Operator::kDivide},
                              {"//", Operator::kFloorDivide},
                              {"%", Operator::kModulo}};

template <size_t size>
std::optional<Operator> taken(TokenStream& stream, const Sign (&signs)[size]) {
  for (const Sign& sign : signs) {
    if (stream.take_operator(sign.text)) return sign.meaning;
  }
  return std::nullopt;
}

/// The parts of a node in a vector: a list of initial values cannot be moved from.
template <typename... Parts>
std::vector<ExpressionPtr> parts_of(Parts... parts) {
  std::vector<ExpressionPtr> all;
  (all.push_back(std::move(parts)), ...);
  return all;
}

}  // namespace

ExpressionPtr ExpressionParser::finished(ExpressionPtr node) const {
  int deepest = 0;
  for (const ExpressionPtr& part : node->parts)
    if (part) deepest = std::max(deepest, part->depth);
  for (const auto& [name, part] : node->named) deepest = std::max(deepest, part->depth);
  node->depth = deepest + 1;
  if (node->depth > Limits::kSyntaxDepth)
    stream_.fail(concat("expected an expression at most ", Limits::kSyntaxDepth,
                        " deep, found a deeper one"));
  return node;
}

ExpressionPtr ExpressionParser::make(Kind kind, int line, std::vector<ExpressionPtr> parts) const {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->line = line;
  node->parts = std::move(parts);
  return finished(std::move(node));
}

ExpressionPtr ExpressionParser::constant(Value value) const {
  ExpressionPtr node = make(Kind::kConstant, stream_.current().line);
  node->constant = std::move(value);
  return node;
}

ExpressionPtr ExpressionParser::binary(Operator sign, ExpressionPtr left,
                                       ExpressionPtr right) const {
  const int line = left->line;
  ExpressionPtr node = make(Kind::kBinary, line, parts_of(std::move(left), std::move(right)));
  node->operators.push_back(sign);
  return node;
}

bool ExpressionParser::ends_tuple() const {
  const Token& token = stream_.current();
  return token.kind == Token::Kind::kBlockEnd || token.kind == Token::Kind::kPrintEnd ||
         token.is_operator(")") || token.is_name("in");
}

ExpressionPtr ExpressionParser::tuple(bool with_condition) {
  const int line = stream_.current().line;
  const auto one = [&] { return with_condition ? expression() : without_condition(); };
  ExpressionPtr first = one();
  if (!stream_.current().is_operator(",")) return first;
  std::vector<ExpressionPtr> parts = parts_of(std::move(first));
  while (stream_.take_operator(",")) {
    if (ends_tuple()) break;
    parts.push_back(one());
  }
  return make(Kind::kTuple, line, std::move(parts));
}

ExpressionPtr ExpressionParser::expression() {
  const TokenStream::Depth depth(stream_);
  const int line = stream_.current().line;
  ExpressionPtr value = either();
  while (stream_.take_name("if")) {
    ExpressionPtr condition = either();
    ExpressionPtr otherwise;
    if (stream_.take_name("else")) otherwise = expression();
    value = make(Kind::kCondition, line,
                 parts_of(std::move(condition), std::move(value), std::move(otherwise)));
  }
  return value;
}

ExpressionPtr ExpressionParser::either() {
  ExpressionPtr left = both();
  while (stream_.take_name("or")) {
    const int line = left->line;
    left = make(Kind::kOr, line, parts_of(std::move(left), both()));
  }
  return left;
}

ExpressionPtr ExpressionParser::both() {
  ExpressionPtr left = negation();
  while (stream_.take_name("and")) {
    const int line = left->line;
    left = make(Kind::kAnd, line, parts_of(std::move(left), negation()));
  }
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  const TokenStream::Depth depth(stream_);
  const int line = stream_.current().line;
  if (stream_.take_name("not")) return make(Kind::kNot, line, parts_of(negation()));
  return comparison();
}

ExpressionPtr ExpressionParser::comparison() {
  const int line = stream_.current().line;
  std::vector<ExpressionPtr> parts = parts_of(sum());
  std::vector<Operator> operators;
  while (true) {
    std::optional<Operator> sign = taken(stream_, kComparisons);
    if (!sign && stream_.take_name("in")) sign = Operator::kIn;
    if (!sign && stream_.current().is_name("not") && stream_.next().is_name("in")) {
      stream_.take();
      stream_.take();
      sign = Operator::kNotIn;
    }
    if (!sign) break;
    operators.push_back(*sign);
    parts.push_back(sum());
  }
  if (operators.empty()) return std::move(parts.front());
  ExpressionPtr node = make(Kind::kCompare, line, std::move(parts));
  node->operators = std::move(operators);
  return node;
}

ExpressionPtr ExpressionParser::sum() {
  ExpressionPtr left = joined();
  while (const auto sign = taken(stream_, kSums)) left = binary(*sign, std::move(left), joined());
  return left;
}

ExpressionPtr ExpressionParser::joined() {
  const int line = stream_.current().line;
  std::vector<ExpressionPtr> parts = parts_of(product());
  while (stream_.take_operator("~")) parts.push_back(product());
  if (parts.size() == 1) return std::move(parts.front());
  return make(Kind::kConcat, line, std::move(parts));
}

ExpressionPtr ExpressionParser::product() {
  ExpressionPtr left = power();
  while (const auto sign = taken(stream_, kProducts))
    left = binary(*sign, std::move(left), power());
  return left;
}

ExpressionPtr ExpressionParser::power() {
  ExpressionPtr left = unary(true);
  while (stream_.take_operator("**")) left = binary(Operator::kPower, std::move(left), unary(true));
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  const TokenStream::Depth depth(stream_);
  const int line = stream_.current().line;
  ExpressionPtr node;
  if (stream_.take_operator("-")) {
    node = make(Kind::kNegative, line, parts_of(unary(false)));
  } else if (stream_.take_operator("+")) {
    node = make(Kind::kPositive, line, parts_of(unary(false)));
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return with_filters ? filters_and_tests(std::move(node)) : std::move(node);
}

ExpressionPtr ExpressionParser::primary() {
  const Token& token = stream_.current();
  if (token.kind == Token::Kind::kName) return name_or_constant();
  if (token.kind == Token::Kind::kString) return string();
  if (token.kind == Token::Kind::kInteger) return constant(stream_.take().integer);
  if (token.kind == Token::Kind::kFloat) return constant(stream_.take().real);
  if (token.is_operator("(")) return in_parentheses();
  if (token.is_operator("[")) return list();
  if (token.is_operator("{")) return dict();
  stream_.fail_expecting("an expression");
}

ExpressionPtr ExpressionParser::name_or_constant() {
  const Token token = stream_.take();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return constant(true);
  if (name == "false" || name == "False") return constant(false);
  if (name == "none" || name == "None") return constant(None{});
  ExpressionPtr node = make(Kind::kName, token.line);
  node->symbol = symbols_.intern(name);
  return node;
}

/// Strings beside each other are one.
ExpressionPtr ExpressionParser::string() {
  std::string text = stream_.take().text;
  while (stream_.current().kind == Token::Kind::kString) text += stream_.take().text;
  return constant(std::move(text));
}

ExpressionPtr ExpressionParser::in_parentheses() {
  const int line = stream_.take().line;
  if (stream_.take_operator(")")) return make(Kind::kTuple, line);
  ExpressionPtr inner = tuple();
  stream_.expect_operator(")");
  return inner;
}

ExpressionPtr ExpressionParser::list() {
  const int line = stream_.take().line;
  std::vector<ExpressionPtr> parts;
  while (!stream_.take_operator("]")) {
    if (!parts.empty()) stream_.expect_operator(",");
    if (stream_.take_operator("]")) break;
    parts.push_back(expression());
  }
  return make(Kind::kList, line, std::move(parts));
}

ExpressionPtr ExpressionParser::dict() {
  const int line = stream_.take().line;
  std::vector<ExpressionPtr> parts;
  while (!stream_.take_operator("}")) {
    if (!parts.empty()) stream_.expect_operator(",");
    if (stream_.take_operator("}")) break;
    parts.push_back(expression());
    stream_.expect_operator(":");
    parts.push_back(expression());
  }
  return make(Kind::kDict, line, std::move(parts));
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr inner) {
  while (true) {
    if (stream_.current().is_operator(".")) {
      inner = attribute(std::move(inner));
    } else if (stream_.current().is_operator("[")) {
      inner = subscript(std::move(inner));
    } else if (stream_.current().is_operator("(")) {
      inner = call(std::move(inner));
    } else {
      return inner;
    }
  }
}

ExpressionPtr ExpressionParser::attribute(ExpressionPtr inner) {
  const int line = stream_.take().line;
  if (stream_.current().kind == Token::Kind::kInteger)
    return make(Kind::kItem, line, parts_of(std::move(inner), constant(stream_.take().integer)));
  const std::string name = stream_.expect_any_name();
  ExpressionPtr node = make(Kind::kAttribute, line, parts_of(std::move(inner)));
  node->symbol = symbols_.intern(name);
  return node;
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr inner) {
  const int line = stream_.take().line;
  ExpressionPtr bounds[3];
  bool is_slice = false;
  for (ExpressionPtr& bound : bounds) {
    const Token& token = stream_.current();
    if (!token.is_operator(":") && !token.is_operator("]")) bound = expression();
    if (&bound == &bounds[2] || !stream_.take_operator(":")) break;
    is_slice = true;
  }
  if (stream_.current().is_operator(",")) stream_.fail("expected one value in [], found several");
  stream_.expect_operator("]");
  if (is_slice)
    return make(Kind::kSlice, line,
                parts_of(std::move(inner), std::move(bounds[0]), std::move(bounds[1]),
                         std::move(bounds[2])));
  if (!bounds[0]) stream_.fail("expected a value in [], found none");
  const Value& key = bounds[0]->constant;
  const Symbol name = key.is_text() ? symbols_.intern(key.text()) : nullptr;
  ExpressionPtr node = make(Kind::kItem, line, parts_of(std::move(inner), std::move(bounds[0])));
  node->symbol = name;
  return node;
}

ExpressionPtr ExpressionParser::call(ExpressionPtr inner) {
  const int line = stream_.current().line;
  ExpressionPtr node = make(Kind::kCall, line, parts_of(std::move(inner)));
  arguments(*node);
  return finished(std::move(node));
}

void ExpressionParser::arguments(Expression& call) {
  stream_.expect_operator("(");
  bool is_first = true;
  while (!stream_.take_operator(")")) {
    if (!is_first) stream_.expect_operator(",");
    if (stream_.take_operator(")")) break;
    is_first = false;
    if (stream_.current().is_operator("*") || stream_.current().is_operator("**"))
      stream_.fail("expected arguments one by one, found * or ** before one");
    if (stream_.current().kind == Token::Kind::kName && stream_.next().is_operator("=")) {
      const Symbol name = symbols_.intern(stream_.take().text);
      stream_.take();
      call.named.emplace_back(name, expression());
    } else {
      if (!call.named.empty())
        stream_.fail("expected a named argument after a named one, found another");
      call.parts.push_back(expression());
    }
  }
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr inner) {
  while (true) {
    if (stream_.take_operator("|")) {
      inner = filter(std::move(inner));
    } else if (stream_.current().is_name("is")) {
      inner = test(std::move(inner));
    } else if (stream_.current().is_operator("(")) {
      inner = call(std::move(inner));
    } else {
      return inner;
    }
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr inner) {
  inner = filter(std::move(inner));
  while (stream_.take_operator("|")) inner = filter(std::move(inner));
  return inner;
}

ExpressionPtr ExpressionParser::filter(ExpressionPtr inner) {
  const int line = stream_.current().line;
  const std::string name = stream_.expect_any_name();
  ExpressionPtr node = make(Kind::kFilter, line, parts_of(std::move(inner)));
  node->symbol = symbols_.intern(name);
  node->filter = find_filter(name);
  if (stream_.current().is_operator("(")) arguments(*node);
  return finished(std::move(node));
}

ExpressionPtr ExpressionParser::test(ExpressionPtr inner) {
  const int line = stream_.take().line;
  const bool is_negated = stream_.take_name("not");
  const std::string name = stream_.expect_any_name();
  ExpressionPtr node = make(Kind::kTest, line, parts_of(std::move(inner)));
  node->symbol = symbols_.intern(name);
  node->test = find_test(name);
  const Token& token = stream_.current();
  const bool is_value = token.kind == Token::Kind::kString || token.kind == Token::Kind::kInteger ||
                        token.kind == Token::Kind::kFloat || token.is_operator("[") ||
                        token.is_operator("{");
  const bool is_name = token.kind == Token::Kind::kName && !token.is_name("else") &&
                       !token.is_name("or") && !token.is_name("and");
  if (token.is_operator("(")) {
    arguments(*node);
  } else if (token.is_name("is")) {
    stream_.fail("expected one test after \"is\", found another \"is\"");
  } else if (is_value || is_name) {
    node->parts.push_back(postfix(primary()));
  }
  node = finished(std::move(node));
  return is_negated ? make(Kind::kNot, line, parts_of(std::move(node))) : std::move(node);
}

Target ExpressionParser::target_part(bool with_attributes) {
  const TokenStream::Depth depth(stream_);
  if (stream_.take_operator("(")) {
    Target inner = target(with_attributes);
    stream_.expect_operator(")");
    return inner;
  }
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    if (stream_.current().is_name(constant)) stream_.fail_expecting("a name to give a value to");
  }
  Target part;
  part.name = symbols_.intern(stream_.expect_any_name());
  if (with_attributes && stream_.take_operator("."))
    part.attribute = symbols_.intern(stream_.expect_any_name());
  return part;
}

Target ExpressionParser::target(bool with_attributes) {
  Target first = target_part(with_attributes);
  if (!stream_.current().is_operator(",")) return first;
  Target all;
  all.parts.push_back(std::move(first));
  while (stream_.take_operator(",")) {
    if (ends_tuple() || stream_.current().is_operator("=")) break;
    all.parts.push_back(target_part(with_attributes));
  }
  return all;
}

}  // namespace xkde::jinja
