#ifndef XKDE_CORE_TEXT_JINJA_LEXER_H_
#define XKDE_CORE_TEXT_JINJA_LEXER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xkde::jinja {

struct Token {
  enum class Kind {
    kData,        ///< text outside of braces; `text` is what remains of it
    kBlockBegin,  ///< {%
    kBlockEnd,    ///< %}
    kPrintBegin,  ///< {{
    kPrintEnd,    ///< }}
    kName,
    kString,  ///< `text` is the string, escapes resolved
    kInteger,
    kFloat,
    kOperator,  ///< `text` is the operator
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text;
  int line = 1;
  int64_t integer = 0;
  double real = 0.0;

  bool is_name(std::string_view name) const { return kind == Kind::kName && text == name; }
  bool is_operator(std::string_view sign) const { return kind == Kind::kOperator && text == sign; }
};

/// The tokens of a template, the last one kEnd. White space around tags is gone as transformers
/// sets Jinja up: trim_blocks and lstrip_blocks, no line feed at the template's end; signs + and -
/// at a tag. Comments are left out; `raw` is data. Throws ConfigError "NAME: line 3: expected …,
/// found …", also for ill-formed UTF-8.
std::vector<Token> tokenize(std::string_view source, const std::string& name);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_LEXER_H_
