#ifndef XKDE_STAGES_RECIPE_CONDITION_H_
#define XKDE_STAGES_RECIPE_CONDITION_H_

#include <cstdint>
#include <limits>
#include <span>
#include <string>

namespace xkde::recipe {

/// The numbers from `least` to `most`. An end that is open is not among them.
template <typename T>
struct Interval {
  T least = std::numeric_limits<T>::lowest();
  T most = std::numeric_limits<T>::max();
  bool is_open_below = false;
  bool is_open_above = false;

  constexpr bool holds(const T& value) const {
    return (is_open_below ? value > least : value >= least) &&
           (is_open_above ? value < most : value <= most);
  }
};

/// A condition on a number and the words for it: "expected `text`, found ...".
template <typename T>
struct Condition {
  const char* text;
  Interval<T> interval{};
  bool (*also)(const T&) = nullptr;  ///< what an interval cannot say; null: nothing

  constexpr bool holds(const T& value) const {
    return interval.holds(value) && (also == nullptr || also(value));
  }
};

/// A condition on a text. The schema of recipes says it by `pattern`, an expression of ECMA-262, or
/// by `choices`, where there is one.
template <>
struct Condition<std::string> {
  const char* text;
  bool (*holds)(const std::string&);
  const char* pattern = nullptr;
  std::span<const std::string> choices{};
};

inline constexpr Condition<int64_t> kAnyInteger{"an integer"};
inline constexpr Condition<int64_t> kPositive{"a positive integer", {.least = 1}};
inline constexpr Condition<int64_t> kNotNegative{"an integer of at least 0", {.least = 0}};
inline constexpr Condition<double> kAnyNumber{"a number"};
inline constexpr Condition<double> kPositiveNumber{"a positive number",
                                                   {.least = 0, .is_open_below = true}};
inline constexpr Condition<double> kNotNegativeNumber{"a number of at least 0", {.least = 0}};
inline constexpr Condition<double> kShare{"a number in [0, 1)",
                                          {.least = 0, .most = 1, .is_open_above = true}};
inline constexpr Condition<std::string> kSomeText{
    "a text that is not empty", [](const std::string& value) { return !value.empty(); }, "."};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_CONDITION_H_
