#ifndef XKDE_CORE_TEXT_JINJA_SYNTAX_H_
#define XKDE_CORE_TEXT_JINJA_SYNTAX_H_

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/python/arguments.h"
#include "core/text/jinja/python/operators.h"
#include "core/text/jinja/python/value.h"

/// The tree of a template. The parser makes it; nothing changes it afterwards.
namespace xkde::jinja {

/// A name of the template. Equal names are one symbol, which lives as long as the template.
using Symbol = const std::string*;

class Symbols {
 public:
  Symbol intern(std::string_view name) { return &*names_.emplace(name).first; }
  /// Null: the template does not mention the name.
  Symbol find(std::string_view name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : &*found;
  }

 private:
  std::set<std::string, std::less<>> names_;
};

class Evaluator;

using Filter = Value (*)(Evaluator& evaluator, const Value& value, const Arguments& arguments);
using Test = bool (*)(Evaluator& evaluator, const Value& value, const Arguments& arguments);

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  enum class Kind {
    kConstant,   ///< constant
    kName,       ///< symbol
    kAttribute,  ///< parts[0].symbol
    kItem,       ///< parts[0][parts[1]]; symbol: of a text that stands there as such
    kSlice,      ///< parts[0][parts[1]:parts[2]:parts[3]]; those left out are null
    kCall,       ///< parts[0](the other parts, named)
    kFilter,     ///< parts[0] | symbol(the other parts, named)
    kTest,       ///< parts[0] is symbol(the other parts, named)
    kNot,
    kNegative,
    kPositive,
    kBinary,   ///< parts[0] operators[0] parts[1]
    kConcat,   ///< parts[0] ~ parts[1] ~ …
    kCompare,  ///< parts[0] operators[0] parts[1] operators[1] parts[2] …
    kAnd,
    kOr,
    kCondition,  ///< parts[1] if parts[0] else parts[2], which may be null
    kTuple,
    kList,
    kDict,  ///< parts: key, value, key, value, …
  };
  Kind kind = Kind::kConstant;
  int line = 1;
  int depth = 1;  ///< of expressions in each other
  Symbol symbol = nullptr;
  Value constant;
  std::vector<ExpressionPtr> parts;
  std::vector<std::pair<Symbol, ExpressionPtr>> named;
  std::vector<Operator> operators;
  Filter filter = nullptr;  ///< null: there is none of this name here
  Test test = nullptr;
};

/// Where `set` and `for` put a value: a name, an attribute of a namespace, or several of these.
struct Target {
  Symbol name = nullptr;
  Symbol attribute = nullptr;  ///< of the namespace `name`; null: the name itself
  std::vector<Target> parts;   ///< not empty: the values of a sequence, one each
};

struct Parameter {
  Symbol name;
  ExpressionPtr fallback;  ///< null: none
};

struct Statement;
using Block = std::vector<Statement>;

/// A condition and what stands under it; no condition: in any other case.
struct Branch {
  ExpressionPtr condition;
  Block body;
};

struct Statement {
  enum class Kind {
    kData,         ///< data
    kPrint,        ///< value
    kSet,          ///< target = value
    kSetBlock,     ///< target = body | filters of value
    kFor,          ///< target in value if condition: body, else otherwise
    kIf,           ///< branches
    kMacro,        ///< symbol(parameters): body
    kCall,         ///< value is the call, parameters and body those of its caller()
    kFilterBlock,  ///< body | filters of value
    kWith,         ///< targets = values: body
    kGeneration,   ///< body
    kBreak,
    kContinue,
  };
  Kind kind = Kind::kData;
  int line = 1;
  std::string data;
  Symbol symbol = nullptr;
  ExpressionPtr value;  ///< of kSetBlock and kFilterBlock: filters around a constant, or null
  ExpressionPtr condition;
  Target target;
  std::vector<std::pair<Target, ExpressionPtr>> assignments;
  std::vector<Parameter> parameters;
  std::vector<Branch> branches;
  Block body;
  Block otherwise;
};

struct Syntax {
  Symbols symbols;
  Block body;
  bool has_generation = false;
};

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_SYNTAX_H_
