#ifndef XKDE_TESTS_FUZZ_SOURCE_LOCATION_FOR_CLANG14_H_
#define XKDE_TESTS_FUZZ_SOURCE_LOCATION_FOR_CLANG14_H_

// libstdc++ has std::source_location only where the compiler knows __builtin_source_location(),
// which clang 14 does not. The fuzzing build includes this in front of every file.
#include <cstdint>

namespace std {

struct source_location {
  static constexpr source_location current(const char* file = __builtin_FILE(),
                                           const char* function = __builtin_FUNCTION(),
                                           uint_least32_t line = __builtin_LINE()) noexcept {
    source_location here;
    here.file_ = file;
    here.function_ = function;
    here.line_ = line;
    return here;
  }
  constexpr uint_least32_t line() const noexcept { return line_; }
  constexpr uint_least32_t column() const noexcept { return 0; }
  constexpr const char* file_name() const noexcept { return file_; }
  constexpr const char* function_name() const noexcept { return function_; }

 private:
  const char* file_ = "";
  const char* function_ = "";
  uint_least32_t line_ = 0;
};

}  // namespace std

#endif  // XKDE_TESTS_FUZZ_SOURCE_LOCATION_FOR_CLANG14_H_
