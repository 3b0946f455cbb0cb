#include "stages/recipe/errors.h"

#include <algorithm>
#include <climits>
#include <tuple>

#include <fmt/format.h>

#include "core/base/error.h"

namespace xkde::recipe {
namespace {

/// More lines than this help nobody and could fill a terminal with a file that is no recipe.
constexpr size_t kMostLines = 50;
constexpr size_t kLongestPath = 200;

bool comes_before(Place a, Place b) {
  const auto key = [](Place place) {
    return std::tuple(place.line == 0 ? INT_MAX : place.line, place.column);
  };
  return key(a) < key(b);
}

}  // namespace

void RecipeErrors::add(Place place, const std::string& path, const std::string& what) {
  if (std::find(closed_.begin(), closed_.end(), place) != closed_.end()) return;
  std::string line = text_of(place) + ": ";
  if (!path.empty()) line += printable(path, kLongestPath) + ": ";
  errors_.push_back({place, path, line + what});
}

void RecipeErrors::add_last(Place place, const std::string& path, const std::string& what) {
  add(place, path, what);
  closed_.push_back(place);
}

bool RecipeErrors::is_wrong(std::string_view path) const {
  return std::ranges::any_of(errors_, [path](const Mistake& mistake) {
    const std::string_view own = mistake.path;
    return own.starts_with(path) && (own.size() == path.size() || own[path.size()] == '.');
  });
}

std::string RecipeErrors::text_of(Place place) const {
  if (place.line == 0) return "command line";
  return concat(file_, ":", place.line, ":", place.column);
}

void RecipeErrors::throw_if_any() const {
  if (errors_.empty()) return;
  std::vector<Mistake> sorted = errors_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Mistake& a, const Mistake& b) {
    return comes_before(a.place, b.place);
  });
  if (sorted.size() == 1) throw ConfigError(sorted.front().line);
  std::string text = concat(file_, ": ", sorted.size(), " errors");
  for (size_t i = 0; i < std::min(sorted.size(), kMostLines); ++i) text += "\n" + sorted[i].line;
  if (sorted.size() > kMostLines) text += concat("\nand ", sorted.size() - kMostLines, " more");
  throw ConfigError(text);
}

std::string printable(std::string_view text, size_t max_bytes) {
  const bool is_cut = text.size() > max_bytes;
  if (is_cut) {
    size_t length = max_bytes;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) --length;
    text = text.substr(0, length);
  }
  std::string line;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == '\n') {
      line += "\\n";
    } else if (letter == '\t') {
      line += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += letter;
    }
  }
  return is_cut ? line + "..." : line;
}

std::string alternatives(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

}  // namespace xkde::recipe
