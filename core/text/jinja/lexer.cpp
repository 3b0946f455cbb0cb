#include "core/text/jinja/lexer.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/error.h"
#include "core/text/jinja/python/context.h"
#include "core/text/jinja/python/python_text.h"
#include "core/text/jinja/python/string_literal.h"
#include "core/text/regex/unicode.h"

namespace xkde::jinja {
namespace {

constexpr size_t kNone = std::string_view::npos;

/// Longest first.
constexpr std::string_view kOperators[] = {"**", "//", "==", "!=", ">=", "<=", "+", "-", "/",
                                           "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// Line breaks as \n, and the last one of the template gone.
std::string with_line_feeds(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
      continue;
    }
    text += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& name)
      : text_(with_line_feeds(source)), name_(name) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) read_data();
    push(Token::Kind::kEnd);
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(concat(name_, ": line ", line_, ": ", what));
  }

  std::string_view rest() const { return std::string_view(text_).substr(at_); }

  void push(Token::Kind kind, std::string text = {}) {
    tokens_.push_back({.kind = kind, .text = std::move(text), .line = line_});
  }

  void skip(size_t count) {
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(at_ + count),
                                         '\n'));
    at_ += count;
  }

  void skip_spaces() { skip(rest().size() - python::strip_left(rest()).size()); }

  /// Where the next tag begins, or the end.
  size_t next_tag() const {
    for (size_t i = text_.find('{', at_); i != std::string::npos; i = text_.find('{', i + 1)) {
      const char kind = i + 1 < text_.size() ? text_[i + 1] : '\0';
      if (kind == '{' || kind == '%' || kind == '#') return i;
    }
    return text_.size();
  }

  /// The text before a tag: `sign` stands behind its opening; a block or a comment at the beginning
  /// of a line takes the white space before it.
  std::string_view before_tag(std::string_view data, char sign, bool is_print) const {
    if (sign == '-') return python::strip_right(data);
    if (sign == '+' || is_print) return data;
    const size_t line_feed = data.rfind('\n');
    const size_t begin = line_feed == kNone ? 0 : line_feed + 1;
    if (begin == 0 && !starts_line_) return data;
    return python::strip_right(data.substr(begin)).empty() ? data.substr(0, begin) : data;
  }

  void push_data(std::string_view data) {
    if (!data.empty()) push(Token::Kind::kData, std::string(data));
  }

  void read_data() {
    const size_t tag = next_tag();
    const std::string_view data = std::string_view(text_).substr(at_, tag - at_);
    if (tag == text_.size()) {
      push_data(data);
      at_ = tag;
      return;
    }
    const char kind = text_[tag + 1];
    const char sign = tag + 2 < text_.size() ? text_[tag + 2] : '\0';
    push_data(before_tag(data, sign, kind == '{'));
    skip(tag - at_ + 2 + (sign == '-' || sign == '+' ? 1 : 0));
    if (kind == '#') {
      read_comment();
    } else if (kind == '%' && is_word_tag("raw")) {
      read_raw();
    } else {
      read_tag(kind == '{');
    }
  }

  /// Whether a block tag with this one word begins here; moves behind the word.
  bool is_word_tag(std::string_view word) {
    const std::string_view tag = python::strip_left(rest());
    if (!tag.starts_with(word)) return false;
    const std::string_view behind = python::strip_left(tag.substr(word.size()));
    if (!behind.starts_with("%}") && !behind.starts_with("-%}") && !behind.starts_with("+%}"))
      return false;
    skip(rest().size() - behind.size());
    return true;
  }

  /// Moves behind a closing tag that begins here, and what it takes with it.
  void close(std::string_view closing, bool trims) {
    const char sign = text_[at_];
    const bool has_sign = sign == '-' || sign == '+';
    skip(closing.size() + (has_sign ? 1 : 0));
    starts_line_ = false;
    const size_t begin = at_;
    if (sign == '-') {
      skip_spaces();
    } else if (sign != '+' && trims && rest().starts_with('\n')) {
      skip(1);
    }
    starts_line_ = at_ > begin && text_[at_ - 1] == '\n';
  }

  void read_comment() {
    const size_t end = text_.find("#}", at_);
    if (end == std::string::npos) fail("expected the end of a comment \"#}\", found none");
    const char sign = end > at_ ? text_[end - 1] : '\0';
    skip(end - at_ - (sign == '-' || sign == '+' ? 1 : 0));
    close("#}", true);
  }

  void read_raw() {
    close("%}", false);
    const size_t begin = at_;
    for (size_t tag = text_.find("{%", at_); tag != std::string::npos;
         tag = text_.find("{%", tag + 1)) {
      const char sign = tag + 2 < text_.size() ? text_[tag + 2] : '\0';
      const size_t word = tag + 2 + (sign == '-' || sign == '+' ? 1 : 0);
      const size_t here = at_;
      at_ = std::min(word, text_.size());
      const int line = line_;
      if (is_word_tag("endraw")) {
        line_ = line;
        const size_t behind = at_;
        at_ = here;
        push_data(before_tag(std::string_view(text_).substr(begin, tag - begin), sign, false));
        skip(behind - at_);
        close("%}", true);
        return;
      }
      at_ = here;
    }
    if (at_ < text_.size()) fail("expected {% endraw %}, found none");
  }

  bool closes(bool is_print) const {
    const std::string_view text = rest();
    if (is_print) return text.starts_with("}}") || text.starts_with("-}}");
    return text.starts_with("%}") || text.starts_with("-%}") || text.starts_with("+%}");
  }

  void read_tag(bool is_print) {
    push(is_print ? Token::Kind::kPrintBegin : Token::Kind::kBlockBegin);
    std::string open;  ///< the brackets that are not closed yet
    while (true) {
      skip_spaces();
      if (at_ >= text_.size())
        fail(concat("expected the end of a tag \"", is_print ? "}}" : "%}", "\", found none"));
      if (open.empty() && closes(is_print)) break;
      read_token(open);
    }
    push(is_print ? Token::Kind::kPrintEnd : Token::Kind::kBlockEnd);
    close(is_print ? "}}" : "%}", !is_print);
  }

  void read_token(std::string& open) {
    const char c = text_[at_];
    if (is_digit(c)) return read_number();
    if (c == '\'' || c == '"') return read_string(c);
    if (is_letter(c)) return read_name();
    for (const std::string_view sign : kOperators) {
      if (!rest().starts_with(sign)) continue;
      balance(sign, open);
      push(Token::Kind::kOperator, std::string(sign));
      skip(sign.size());
      return;
    }
    size_t end = at_;
    unicode::next(text_, end);
    fail(concat("expected an expression, found \"", text_.substr(at_, end - at_), "\""));
  }

  void balance(std::string_view sign, std::string& open) const {
    const size_t kind = std::string_view("([{").find(sign);
    if (kind != kNone) open += ")]}"[kind];
    if (std::string_view(")]}").find(sign) == kNone) return;
    if (open.empty() || open.back() != sign.front()) {
      fail(concat("expected ",
                  open.empty() ? std::string("no bracket") : open.substr(open.size() - 1),
                  ", found ", sign));
    }
    open.pop_back();
  }

  void read_name() {
    size_t end = at_;
    while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
    push(Token::Kind::kName, text_.substr(at_, end - at_));
    skip(end - at_);
  }

  void read_string(char quote) {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) fail(concat("expected the end of a string ", quote, ", found none"));
    const auto value = string_literal(std::string_view(text_).substr(at_ + 1, end - at_ - 1));
    if (!value) fail("expected the escapes of Python in a string, found another");
    push(Token::Kind::kString, *value);
    skip(end + 1 - at_);
  }

  /// The end of the digits that begin at `from`; underscores may part them.
  size_t digits_end(size_t from) const {
    size_t end = from;
    while (end < text_.size() &&
           (is_digit(text_[end]) || (text_[end] == '_' && end > from && end + 1 < text_.size() &&
                                     is_digit(text_[end + 1]))))
      ++end;
    return end;
  }

  void read_number() {
    size_t end = digits_end(at_);
    bool is_real = false;
    if (end + 1 < text_.size() && text_[end] == '.' && is_digit(text_[end + 1])) {
      is_real = true;
      end = digits_end(end + 1);
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      size_t power = end + 1;
      if (power < text_.size() && (text_[power] == '+' || text_[power] == '-')) ++power;
      if (power < text_.size() && is_digit(text_[power])) {
        is_real = true;
        end = digits_end(power);
      }
    }
    std::string digits = text_.substr(at_, end - at_);
    std::erase(digits, '_');
    Token token{.kind = is_real ? Token::Kind::kFloat : Token::Kind::kInteger,
                .text = digits,
                .line = line_};
    const char* last = digits.data() + digits.size();
    const auto result = is_real ? std::from_chars(digits.data(), last, token.real)
                                : std::from_chars(digits.data(), last, token.integer);
    if (result.ec != std::errc() || result.ptr != last ||
        (end < text_.size() && is_letter(text_[end])) ||
        (!is_real && digits.size() > 1 && token.integer != 0 && digits.front() == '0'))
      fail(concat("expected a number of 64 bits, found \"", digits, "\""));
    tokens_.push_back(std::move(token));
    skip(end - at_);
  }

  std::string text_;
  const std::string& name_;
  size_t at_ = 0;
  int line_ = 1;
  bool starts_line_ = true;  ///< what comes next stands at the beginning of a line
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& name) {
  XKDE_CHECK(source.size() <= Limits::kSourceBytes, ConfigError, name, ": expected at most ",
             Limits::kSourceBytes, " bytes, found ", source.size());
  const size_t bad = unicode::first_invalid_byte(source);
  XKDE_CHECK(bad == kNone, ConfigError, name, ": expected UTF-8, found another byte at offset ",
             bad);
  return Lexer(source, name).run();
}

}  // namespace xkde::jinja
