#include "core/text/jinja/parser.h"

#include <initializer_list>
#include <utility>
#include <vector>

#include "core/text/jinja/expression_parser.h"
#include "core/text/jinja/token_stream.h"

namespace xkde::jinja {
namespace {

using Kind = Statement::Kind;
using Ends = std::initializer_list<std::string_view>;

class Parser {
 public:
  Parser(std::string_view source, const std::string& name)
      : stream_(tokenize(source, name), name), expressions_(stream_, syntax_.symbols) {}

  Syntax run() {
    syntax_.body = block({});
    return std::move(syntax_);
  }

 private:
  /// Statements up to a tag that begins with one of `ends`, whose name is the next token then;
  /// without `ends` up to the template's end.
  Block block(Ends ends) {
    const TokenStream::Depth depth(stream_);
    Block body;
    while (true) {
      const Token& token = stream_.current();
      if (token.kind == Token::Kind::kEnd) {
        if (ends.size() != 0) stream_.fail_expecting(concat("{% ", *std::prev(ends.end()), " %}"));
        return body;
      }
      if (token.kind == Token::Kind::kData) {
        Statement data = begin(Kind::kData);
        data.data = stream_.take().text;
        body.push_back(std::move(data));
      } else if (token.kind == Token::Kind::kPrintBegin) {
        Statement print = begin(Kind::kPrint);
        stream_.take();
        print.value = expressions_.tuple();
        stream_.expect(Token::Kind::kPrintEnd);
        body.push_back(std::move(print));
      } else {
        stream_.expect(Token::Kind::kBlockBegin);
        for (const std::string_view end : ends) {
          if (stream_.current().is_name(end)) return body;
        }
        body.push_back(statement());
        stream_.expect(Token::Kind::kBlockEnd);
      }
    }
  }

  /// The body of a statement whose own tag ends here, up to its end tag.
  Block body_until(std::string_view end) {
    stream_.expect(Token::Kind::kBlockEnd);
    Block body = block({end});
    stream_.take();
    return body;
  }

  Statement begin(Kind kind) const {
    Statement made;
    made.kind = kind;
    made.line = stream_.current().line;
    return made;
  }

  Statement statement() {
    struct Entry {
      std::string_view name;
      Statement (Parser::*read)();
    };
    static constexpr Entry kEntries[] = {
        {"set", &Parser::set},         {"if", &Parser::condition},
        {"for", &Parser::loop},        {"macro", &Parser::macro},
        {"call", &Parser::call},       {"filter", &Parser::filter},
        {"with", &Parser::with},       {"generation", &Parser::generation},
        {"break", &Parser::break_off}, {"continue", &Parser::go_on}};
    for (const Entry& entry : kEntries) {
      if (stream_.current().is_name(entry.name)) return (this->*entry.read)();
    }
    std::string known;
    for (const Entry& entry : kEntries) known += concat(entry.name, ", ");
    stream_.fail_expecting(concat("a statement (", known, "raw)"));
  }

  Statement set() {
    Statement made = begin(Kind::kSet);
    stream_.take();
    made.target = expressions_.target(/*with_attributes=*/true);
    if (stream_.take_operator("=")) {
      made.value = expressions_.tuple();
      return made;
    }
    made.kind = Kind::kSetBlock;
    if (stream_.take_operator("|")) made.value = expressions_.filters(expressions_.constant(""));
    made.body = body_until("endset");
    return made;
  }

  Statement condition() {
    Statement made = begin(Kind::kIf);
    stream_.take();
    while (true) {
      Branch branch;
      branch.condition = expressions_.tuple(/*with_condition=*/false);
      stream_.expect(Token::Kind::kBlockEnd);
      branch.body = block({"elif", "else", "endif"});
      made.branches.push_back(std::move(branch));
      if (stream_.take_name("elif")) continue;
      if (stream_.take_name("else")) {
        Branch otherwise;
        otherwise.body = body_until("endif");
        made.branches.push_back(std::move(otherwise));
      } else {
        stream_.expect_name("endif");
      }
      return made;
    }
  }

  Statement loop() {
    Statement made = begin(Kind::kFor);
    stream_.take();
    made.target = expressions_.target(/*with_attributes=*/false);
    stream_.expect_name("in");
    made.value = expressions_.tuple(/*with_condition=*/false);
    if (stream_.take_name("if")) made.condition = expressions_.expression();
    if (stream_.current().is_name("recursive"))
      stream_.fail("expected a loop that does not call itself, found \"recursive\"");
    stream_.expect(Token::Kind::kBlockEnd);
    ++loops_;
    made.body = block({"else", "endfor"});
    --loops_;
    if (stream_.take_name("else")) {
      made.otherwise = body_until("endfor");
    } else {
      stream_.expect_name("endfor");
    }
    return made;
  }

  std::vector<Parameter> parameters() {
    std::vector<Parameter> all;
    stream_.expect_operator("(");
    while (!stream_.take_operator(")")) {
      if (!all.empty()) stream_.expect_operator(",");
      if (stream_.take_operator(")")) break;
      Parameter parameter{syntax_.symbols.intern(stream_.expect_any_name()), nullptr};
      if (stream_.take_operator("=")) {
        parameter.fallback = expressions_.expression();
      } else if (!all.empty() && all.back().fallback) {
        stream_.fail("expected a default after one that has a default, found none");
      }
      all.push_back(std::move(parameter));
    }
    return all;
  }

  /// A body that runs by itself: loops around it are none of its own.
  Block own_body(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    Block body = body_until(end);
    loops_ = loops;
    return body;
  }

  Statement macro() {
    Statement made = begin(Kind::kMacro);
    stream_.take();
    made.symbol = syntax_.symbols.intern(stream_.expect_any_name());
    made.parameters = parameters();
    made.body = own_body("endmacro");
    return made;
  }

  Statement call() {
    Statement made = begin(Kind::kCall);
    stream_.take();
    if (stream_.current().is_operator("(")) made.parameters = parameters();
    made.value = expressions_.expression();
    if (made.value->kind != Expression::Kind::kCall)
      stream_.fail("expected a call after {% call, found another expression");
    made.body = own_body("endcall");
    return made;
  }

  Statement filter() {
    Statement made = begin(Kind::kFilterBlock);
    stream_.take();
    made.value = expressions_.filters(expressions_.constant(""));
    made.body = body_until("endfilter");
    return made;
  }

  Statement with() {
    Statement made = begin(Kind::kWith);
    stream_.take();
    while (stream_.current().kind != Token::Kind::kBlockEnd) {
      if (!made.assignments.empty()) stream_.expect_operator(",");
      Target target;
      target.name = syntax_.symbols.intern(stream_.expect_any_name());
      stream_.expect_operator("=");
      made.assignments.emplace_back(std::move(target), expressions_.expression());
    }
    made.body = body_until("endwith");
    return made;
  }

  Statement generation() {
    Statement made = begin(Kind::kGeneration);
    stream_.take();
    syntax_.has_generation = true;
    made.body = own_body("endgeneration");
    return made;
  }

  Statement leave(Kind kind) {
    Statement made = begin(kind);
    const std::string name = stream_.take().text;
    if (loops_ == 0) stream_.fail(concat("expected \"", name, "\" in a loop, found it outside"));
    return made;
  }
  Statement break_off() { return leave(Kind::kBreak); }
  Statement go_on() { return leave(Kind::kContinue); }

  Syntax syntax_;
  TokenStream stream_;
  ExpressionParser expressions_;
  int loops_ = 0;
};

}  // namespace

Syntax parse(std::string_view source, const std::string& name) {
  return Parser(source, name).run();
}

}  // namespace xkde::jinja
