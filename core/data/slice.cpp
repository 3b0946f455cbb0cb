#include "core/data/slice.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"

namespace xkde {

namespace {

std::optional<int64_t> parse_bound(std::string_view bound, std::string_view slice) {
  if (bound.empty()) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(bound.data(), bound.data() + bound.size(), value);
  XKDE_CHECK(error == std::errc() && end == bound.data() + bound.size(), ConfigError,
             "slice: expected \"begin:end\" with integers or nothing on each side, found \"", slice,
             "\"");
  return value;
}

int64_t clamp_bound(int64_t bound, int64_t n) {
  return std::clamp<int64_t>(bound < 0 ? bound + n : bound, 0, n);
}

}  // namespace

Slice Slice::parse(std::string_view text) {
  if (text.empty()) return {};
  const size_t colon = text.find(':');
  XKDE_CHECK(colon != std::string_view::npos, ConfigError,
             "slice: expected \"begin:end\", found \"", text, "\"");
  return {parse_bound(text.substr(0, colon), text), parse_bound(text.substr(colon + 1), text)};
}

std::pair<int64_t, int64_t> Slice::range(int64_t n) const {
  const int64_t first = clamp_bound(begin.value_or(0), n);
  const int64_t last = end ? clamp_bound(*end, n) : n;
  return {first, std::max(first, last)};
}

}  // namespace xkde
