#include "core/text/regex/regex_syntax.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/base/error.h"

namespace xkde {
namespace {

/// \\w inside a class, and the six characters below U+0100 that Oniguruma adds outside of one.
constexpr std::string_view kClassWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
constexpr std::string_view kWordClass =
    "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\xB2\\xB3\\xB9\\xBC-\\xBE";

constexpr std::array<std::string_view, 38> kCategories = {
    "C",  "Cc", "Cf", "Cn", "Co", "Cs", "L",  "LC", "Ll", "Lm", "Lo", "Lt", "Lu",
    "M",  "Mc", "Me", "Mn", "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Pe", "Pf",
    "Pi", "Po", "Ps", "S",  "Sc", "Sk", "Sm", "So", "Z",  "Zl", "Zp", "Zs"};
constexpr std::array<std::string_view, 7> kBooleanProperties = {
    "Alphabetic", "Any", "Emoji", "Ideographic", "Lowercase", "Uppercase", "White_Space"};

bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

/// Walks over a pattern once and writes it anew, construct by construct.
class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where)
      : pattern_(pattern), where_(where) {}

  std::string run() {
    while (!at_end()) {
      const char c = take();
      if (c == '\\') {
        escape(/*in_class=*/false);
      } else if (c == '[') {
        character_class();
      } else if (c == '(') {
        group();
      } else if (c == '{') {
        interval();
      } else {
        out_ += c;
      }
    }
    return std::move(out_);
  }

 private:
  bool at_end() const { return position_ >= pattern_.size(); }
  char peek() const { return at_end() ? '\0' : pattern_[position_]; }
  char take() {
    if (at_end()) refuse("an unfinished construct");
    return pattern_[position_++];
  }
  bool starts_with(std::string_view text) const {
    return pattern_.substr(position_).starts_with(text);
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw DataError(concat(where_, ": expected a regular expression of the supported kind, found ",
                           what, " at offset ", position_, " of ", pattern_));
  }

  void escape(bool in_class) {
    const char c = take();
    switch (c) {
      case 's':
        out_ += "\\p{White_Space}";
        return;
      case 'S':
        out_ += "\\P{White_Space}";
        return;
      case 'd':
        out_ += "\\p{Nd}";
        return;
      case 'D':
        out_ += "\\P{Nd}";
        return;
      case 'p':
      case 'P':
        property(c == 'P');
        return;
      case 'x':
        hexadecimal();
        return;
      case 'u':
        code_point();
        return;
      case 'w':
        out_ += in_class ? std::string(kClassWord) : concat("[", kWordClass, "]");
        return;
      case 'h':
        out_ += in_class ? "0-9a-fA-F" : "[0-9a-fA-F]";
        return;
      default:
        break;
    }
    if (!in_class && c == 'W') {
      out_ += concat("[^", kWordClass, "]");
    } else if (!in_class && (c == 'b' || c == 'B')) {
      boundary(c == 'b');
    } else if (!in_class && (c == 'A' || c == 'z')) {
      out_ += concat("\\", c);
    } else if (std::string_view("nrtfae").find(c) != std::string_view::npos) {
      out_ += concat("\\", c);
    } else if (c == 'v') {
      out_ += "\\x0B";  // in PCRE2 \v is a class
    } else if (!is_alnum(c)) {
      out_ += concat("\\", c);
    } else {
      refuse(concat("\\", c));
    }
  }

  void boundary(bool is_boundary) {
    const std::string before = concat("(?<=[", kWordClass, "])");
    const std::string not_before = concat("(?<![", kWordClass, "])");
    const std::string after = concat("(?=[", kWordClass, "])");
    const std::string not_after = concat("(?![", kWordClass, "])");
    out_ += is_boundary ? concat("(?:", before, not_after, "|", not_before, after, ")")
                        : concat("(?:", before, after, "|", not_before, not_after, ")");
  }

  void property(bool negated) {
    if (take() != '{') refuse("\\p without braces");
    if (peek() == '^') {
      ++position_;
      negated = !negated;
    }
    std::string name;
    while (peek() != '}') name += take();
    ++position_;
    const bool is_word = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return is_alnum(c) || c == '_';
    });
    if (!is_word) refuse(concat("\\p{", name, "}"));
    const bool is_plain =
        std::find(kCategories.begin(), kCategories.end(), name) != kCategories.end() ||
        std::find(kBooleanProperties.begin(), kBooleanProperties.end(), name) !=
            kBooleanProperties.end();
    if (name == "LC") name = "L&";
    // PCRE2 takes a bare script name for Script_Extensions, Oniguruma for Script.
    out_ += concat(negated ? "\\P{" : "\\p{", is_plain ? "" : "sc:", name, "}");
  }

  void hexadecimal() {
    std::string digits;
    if (peek() == '{') {
      ++position_;
      while (peek() != '}') digits += take();
      ++position_;
    } else {
      while (digits.size() < 2 && std::isxdigit(static_cast<unsigned char>(peek())) != 0)
        digits += take();
    }
    code_point_from(digits);
  }

  void code_point() {
    std::string digits;
    while (digits.size() < 4) digits += take();
    code_point_from(digits);
  }

  void code_point_from(const std::string& digits) {
    const bool is_hex = !digits.empty() && std::all_of(digits.begin(), digits.end(), [](char c) {
      return std::isxdigit(static_cast<unsigned char>(c)) != 0;
    });
    if (!is_hex) refuse("a code point that is not hexadecimal");
    out_ += concat("\\x{", digits, "}");
  }

  void character_class() {
    out_ += '[';
    if (peek() == '^') out_ += take();
    if (peek() == ']') refuse("an empty character class");
    while (peek() != ']') {
      if (peek() == '[') refuse("a character class inside another");
      if (starts_with("&&")) refuse("an intersection of character classes");
      const char c = take();
      if (c == '\\') {
        escape(/*in_class=*/true);
      } else {
        out_ += c;
      }
    }
    out_ += take();
  }

  void group() {
    const size_t start = position_;
    out_ += '(';
    if (peek() != '?') return;
    ++position_;
    for (const std::string_view kind : {":", "=", "!", "<=", "<!", ">"}) {
      if (!starts_with(kind)) continue;
      position_ += kind.size();
      out_ += concat("?", kind);
      return;
    }
    std::string flags;
    while (peek() == 'i' || peek() == 'm' || peek() == '-') flags += take();
    const char end = take();
    // (?i) in the middle reaches over later alternatives in one engine only.
    if (flags.empty() || (end != ':' && (end != ')' || start != 1))) {
      refuse(concat("the group (?", flags, end));
    }
    std::replace(flags.begin(), flags.end(), 'm', 's');  // Ruby's m lets . match a line break
    out_ += concat("?", flags, end);
  }

  void interval() {
    const size_t close = pattern_.find('}', position_);
    const std::string_view body = close == std::string_view::npos
                                      ? std::string_view()
                                      : pattern_.substr(position_, close - position_);
    const size_t comma = body.find(',');
    const auto is_number = [](std::string_view text) {
      return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    };
    const bool has_comma = comma != std::string_view::npos;
    const std::string_view low = body.substr(0, comma);
    const std::string_view high = has_comma ? body.substr(comma + 1) : std::string_view();
    if (!is_number(low) || !is_number(high) || (low.empty() && high.empty())) {
      out_ += "\\{";
      return;
    }
    position_ = close + 1;
    // Both are read differently by the two engines.
    if (peek() == '+' || (peek() == '?' && !has_comma)) refuse(concat("{", body, "}", peek()));
    out_ += concat("{", low.empty() ? "0" : low, has_comma ? "," : "", high, "}");
  }

  std::string_view pattern_;
  const std::string& where_;
  size_t position_ = 0;
  std::string out_;
};

}  // namespace

std::string pcre2_from_oniguruma(std::string_view pattern, const std::string& where) {
  return Translator(pattern, where).run();
}

}  // namespace xkde
