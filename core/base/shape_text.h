#ifndef XKDE_CORE_BASE_SHAPE_TEXT_H_
#define XKDE_CORE_BASE_SHAPE_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace xkde {

/// A shape as messages show it: "[2, 3]".
inline std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace xkde

#endif  // XKDE_CORE_BASE_SHAPE_TEXT_H_
