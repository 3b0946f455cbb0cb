#ifndef XKDE_STAGES_RECIPE_RECIPE_SCHEMA_H_
#define XKDE_STAGES_RECIPE_RECIPE_SCHEMA_H_

#include <map>
#include <string>
#include <string_view>

#include "core/io/json_file.h"
#include "stages/recipe/stage.h"

namespace xkde::recipe {

/// docs/recipes.md, as it was when the program was built.
std::string_view recipe_page();

/// What that page says of sections and keys.
class KeyNotes {
 public:
  explicit KeyNotes(std::string_view page);

  /// The name of the section that has the keys of `path` ("orpo.lora"): that of the path, or the
  /// only one that ends alike ("sft.lora").
  std::string section_of(const std::string& path) const;
  /// The first paragraph below the section's heading; empty where there is none.
  std::string about(const std::string& section) const;
  /// The values of a key, links as their texts. "as in `sft`" is what stands there. Empty where the
  /// page does not know the key.
  std::string about(const std::string& section, const std::string& key) const;

 private:
  struct Section {
    std::string about;
    std::map<std::string, std::string> keys;
  };
  std::map<std::string, Section> sections_;
};

/// The JSON Schema (draft 2020-12) of recipes with these stages: what the reader takes at each key,
/// and the notes that the page has on it.
Json recipe_schema(StageParsers parsers, const KeyNotes& notes);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_RECIPE_SCHEMA_H_
