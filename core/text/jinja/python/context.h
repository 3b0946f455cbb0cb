#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_CONTEXT_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/jinja/python/value.h"

namespace xkde::jinja {

/// What a template may ask for (docs/limits.md). None has been near them that anybody published.
struct Limits {
  static constexpr size_t kSourceBytes = size_t{1} << 20;
  static constexpr int kSyntaxDepth = 300;      ///< of expressions and blocks in each other
  static constexpr int kCallDepth = 600;        ///< of evaluations in each other, macros included
  static constexpr int kValueDepth = 64;        ///< of lists and dicts in each other
  static constexpr int64_t kSteps = 5'000'000;  ///< of one conversation
  static constexpr size_t kTextBytes = size_t{256} << 20;  ///< that one conversation makes
  static constexpr int64_t kRange = 100'000;  ///< numbers of range(), as in Jinja's sandbox
  static constexpr int kWidth = 10'000;       ///< of a text that a format fills up
};

/// A day and a time of it, for strftime_now.
struct Clock {
  int year = 1970, month = 1, day = 1;
  int hour = 0, minute = 0, second = 0;
};

/// "2026-11-28" or "2026-11-28 14:05:59"; nothing where the text is not a day that exists.
std::optional<Clock> parse_clock(std::string_view text);

/// What the parts of one rendering share: the place for messages, and what is left of the limits.
class Context {
 public:
  Context(std::string name, std::optional<Clock> clock) : name_(std::move(name)), clock_(clock) {}

  int line = 1;  ///< of the template, where the rendering is
  const std::optional<Clock>& clock() const noexcept { return clock_; }

  /// Throws ConfigError "NAME: line 3: what".
  [[noreturn]] void refuse(std::string_view what) const;
  /// Throws DataError: the template itself turns the conversation away.
  [[noreturn]] void turn_away(std::string_view why) const;

  /// Counts steps, and throws ConfigError where there are too many.
  void spend(int64_t steps = 1) {
    steps_ += steps;
    if (steps_ > Limits::kSteps) [[unlikely]]
      refuse_steps();
  }
  /// Counts bytes that are read, at 256 a step.
  void read(size_t bytes) { spend(static_cast<int64_t>(bytes >> 8)); }
  /// Counts bytes of a text that is made; to be called before it is.
  void make(size_t bytes) {
    made_ += bytes;
    if (bytes > Limits::kTextBytes || made_ > Limits::kTextBytes) [[unlikely]]
      refuse_bytes();
    read(bytes);
  }
  Value text(std::string made) {
    make(made.size());
    return {std::move(made)};
  }
  /// A list or the like. Counts it, and holds its depth against the limit.
  Value sequence(std::vector<Value> items, Sequence::Kind kind = Sequence::Kind::kList);
  Value dict(Dict made);

 private:
  [[noreturn]] void refuse_steps() const;
  [[noreturn]] void refuse_bytes() const;

  std::string name_;
  std::optional<Clock> clock_;
  int64_t steps_ = 0;
  size_t made_ = 0;
};

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_CONTEXT_H_
