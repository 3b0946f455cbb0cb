#ifndef XKDE_CORE_TEXT_REGEX_REGEX_H_
#define XKDE_CORE_TEXT_REGEX_REGEX_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xkde {

/// A half-open range of bytes.
struct Span {
  size_t begin = 0;
  size_t end = 0;
  bool operator==(const Span&) const = default;
};

/// A part of a text that either matches a pattern or lies between two matches.
struct Segment {
  Span span;
  bool is_match = false;
};

/// A pattern as the `tokenizers` library understands it (Oniguruma, Ruby syntax, Unicode classes),
/// run by PCRE2. Immutable, thread-safe. Classes are those of Unicode 16, as in the library, also
/// where PCRE2's are older (14 in PCRE2 10.42), but for patterns that spell out a character beyond
/// U+FFFF: these have PCRE2's.
class Regex {
 public:
  /// Throws DataError naming `where` when the pattern is malformed, or uses a construct whose
  /// meaning would differ between the two engines.
  static Regex pattern(std::string_view oniguruma, const std::string& where);
  static Regex literal(std::string_view text);

  /// All matches from left to right; an empty match is left out where the last match ended. `text`
  /// must be well-formed UTF-8. Throws DataError when a limit of the engine is hit.
  std::vector<Span> find_all(std::string_view text) const;
  /// The whole of `text` as matches and what lies between them.
  std::vector<Segment> partition(std::string_view text) const;

 private:
  struct Code;
  explicit Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
  std::shared_ptr<const Code> code_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_REGEX_REGEX_H_
