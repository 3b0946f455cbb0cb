#include "core/base/memory_failure.h"

#include <new>
#include <string_view>
#include <system_error>

#include "core/base/error.h"

namespace xkde {
namespace {

// What libraries say. LibTorch puts a place of its source in front, and a stack behind.
constexpr std::string_view kWords[] = {"out of memory", "not enough memory",
                                       "can't allocate memory", "Cannot allocate memory"};

/// The line of `what` that has `words`, from where LibTorch's own place ends.
std::string line_with(const std::string& what, std::string_view words) {
  const size_t found = what.find(words);
  const size_t break_before = what.rfind('\n', found);
  size_t begin = break_before == std::string::npos ? 0 : break_before + 1;
  const size_t place = what.rfind("] ", found);
  if (place != std::string::npos && place >= begin) begin = place + 2;
  return what.substr(begin, what.find('\n', found) - begin);
}

}  // namespace

std::optional<std::string> memory_failure(const std::exception& error) {
  if (dynamic_cast<const Error*>(&error) != nullptr) return std::nullopt;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return "out of host memory";
  const std::string what = error.what();
  if (const auto* system = dynamic_cast<const std::system_error*>(&error)) {
    const std::errc code{system->code().value()};
    if (code == std::errc::resource_unavailable_try_again)
      return "the system refuses another thread: " + what;
    if (code == std::errc::not_enough_memory) return "out of host memory: " + what;
  }
  for (const std::string_view words : kWords) {
    if (what.find(words) == std::string::npos) continue;
    const std::string line = line_with(what, words);
    const bool is_device = what.find("CUDA") != std::string::npos;
    return (is_device ? "out of device memory: " : "out of host memory: ") + line;
  }
  return std::nullopt;
}

}  // namespace xkde
