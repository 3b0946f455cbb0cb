#ifndef XKDE_CORE_TEXT_JINJA_TOKEN_STREAM_H_
#define XKDE_CORE_TEXT_JINJA_TOKEN_STREAM_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/text/jinja/lexer.h"
#include "core/text/jinja/python/context.h"

namespace xkde::jinja {

/// The tokens of a template, read one by one.
class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, std::string name)
      : tokens_(std::move(tokens)), name_(std::move(name)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token take() {
    Token token = current();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool take_name(std::string_view name) { return current().is_name(name) && (take(), true); }
  bool take_operator(std::string_view sign) {
    return current().is_operator(sign) && (take(), true);
  }
  void expect_operator(std::string_view sign) {
    if (!take_operator(sign)) fail_expecting(std::string(sign));
  }
  void expect_name(std::string_view name) {
    if (!take_name(name)) fail_expecting(std::string(name));
  }
  std::string expect_any_name() {
    if (current().kind != Token::Kind::kName) fail_expecting("a name");
    return take().text;
  }
  void expect(Token::Kind kind) {
    if (current().kind != kind) fail_expecting(described(kind, ""));
    take();
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(concat(name_, ": line ", current().line, ": ", what));
  }
  [[noreturn]] void fail_expecting(const std::string& expected) const {
    fail(concat("expected ", expected, ", found ", described(current().kind, current().text)));
  }

  /// Holds how deep expressions and blocks stand in each other against the limit.
  class Depth {
   public:
    explicit Depth(TokenStream& stream) : stream_(stream) {
      if (++stream_.depth_ > Limits::kSyntaxDepth)
        stream_.fail(concat("expected expressions and blocks at most ", Limits::kSyntaxDepth,
                            " deep, found more"));
    }
    ~Depth() { --stream_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    TokenStream& stream_;
  };

 private:
  static std::string described(Token::Kind kind, const std::string& text) {
    switch (kind) {
      case Token::Kind::kData:
        return "text outside of braces";
      case Token::Kind::kBlockBegin:
        return "{%";
      case Token::Kind::kBlockEnd:
        return "%}";
      case Token::Kind::kPrintBegin:
        return "{{";
      case Token::Kind::kPrintEnd:
        return "}}";
      case Token::Kind::kString:
        return "a string";
      case Token::Kind::kEnd:
        return "the template's end";
      default:
        return text.empty() ? "a name, number or operator" : concat("\"", text, "\"");
    }
  }

  std::vector<Token> tokens_;
  std::string name_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_TOKEN_STREAM_H_
