#ifndef XKDE_STAGES_RECIPE_YAML_READER_H_
#define XKDE_STAGES_RECIPE_YAML_READER_H_

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stages/recipe/errors.h"

namespace xkde::recipe {

struct YamlNode;
using YamlPtr = std::shared_ptr<const YamlNode>;

/// A value of a recipe and where it is written. Trees are immutable; an alias shares the node of
/// its anchor, and no node contains itself.
struct YamlNode {
  enum class Kind { kNull, kPlain, kQuoted, kList, kMap };
  struct Entry {
    std::string key;
    Place place;  ///< of the key
    YamlPtr value;
  };

  Kind kind = Kind::kNull;
  Place place;                 ///< a missing value has the place of its key
  std::string text;            ///< kPlain, kQuoted
  std::vector<YamlPtr> items;  ///< kList
  std::vector<Entry> entries;  ///< kMap, in the order of the file, each key once

  bool is_scalar() const noexcept { return kind == Kind::kPlain || kind == Kind::kQuoted; }
  /// The entry with that key, or nullptr.
  const Entry* find(std::string_view key) const;
};

/// "nothing", "a list of 3", "a mapping", 12 as written, "text" in quotes where it was quoted.
std::string describe(const YamlNode& node);

/// What a recipe may be at most. All of it is checked before anything is expanded.
struct YamlLimits {
  size_t max_bytes = size_t{1} << 20;
  size_t max_depth = 32;
  size_t max_aliases = 64;
  size_t max_nodes = 20000;  ///< with every alias counted as what it stands for
  size_t max_text_bytes = 4096;
};

/// Reads one YAML document whose top level is a mapping. Repeated keys, merge keys (<<) and tags
/// are added to `errors` and reading goes on. Throws ConfigError, with all that `errors` holds,
/// when it can't: bytes that are not UTF-8 or are control characters, tabs in the indentation, bad
/// syntax, a second document, no document, a breach of the limits, an alias inside its own anchor.
YamlPtr read_yaml(std::string_view text, RecipeErrors& errors, const YamlLimits& limits = {});

/// Reads one value of the command line: a list when `text` begins with '[', a quoted text when it
/// begins with a quote, nothing when it is empty, "~" or "null", else the text as it stands. Every
/// node gets `place`; a mistake is added to `errors` with `path`, and the result is then nothing.
YamlPtr read_yaml_value(std::string_view text, Place place, const std::string& path,
                        RecipeErrors& errors);

/// The bytes of a file of at most `max_bytes`. Throws MissingInputError when it can't be opened,
/// ConfigError when it is longer.
std::string read_recipe_text(const std::filesystem::path& path,
                             size_t max_bytes = YamlLimits{}.max_bytes);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_YAML_READER_H_
