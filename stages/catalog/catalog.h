#ifndef XKDE_STAGES_CATALOG_CATALOG_H_
#define XKDE_STAGES_CATALOG_CATALOG_H_

#include <filesystem>
#include <string>
#include <vector>

#include "stages/recipe/stage.h"

namespace xkde::catalog {

/// The folder of the recipes that came with the program: what the variable XKDE_RECIPES_DIR names;
/// else share/xkde_dist/recipes or recipes, whichever is nearest above the program's file. Throws
/// MissingInputError where there is none.
std::filesystem::path recipes_folder();

/// A recipe at hand.
struct Entry {
  std::string name;  ///< its path below the folder, without ".yaml": "paper/xkde_llama2_7b"
  std::filesystem::path file;
  std::string title;                    ///< the first line of its comment
  std::vector<std::string> benchmarks;  ///< each once, in the order of the stages
  std::string model;                    ///< the last name of the path
  std::string ranks;                    ///< of the command in its comment; empty where it has none
  std::vector<std::string> stages;      ///< each once
};

/// The recipes of a folder and of those in it, by name. Throws as read_recipe does.
std::vector<Entry> entries(const std::filesystem::path& folder, recipe::StageParsers parsers);
/// The file of a recipe: `name` is one of the folder, or the path of a file. Throws
/// MissingInputError with the nearest name.
std::filesystem::path find_recipe(const std::string& name);

/// The line for editors that a recipe begins with, with its line end: it names the schema by the
/// absolute path, that of the recipe's own line, else of the one that came with the program. Empty
/// where neither is at hand. `text` is that of `file`.
std::string schema_line(const std::string& text, const std::filesystem::path& file);

/// Writes a copy that names its schema by the absolute path; `to` is a file, or a folder where the
/// copy gets the recipe's name; empty: the current folder. Returns the file. Throws ConfigError,
/// and writes nothing, where something is there already.
std::filesystem::path copy_recipe(const std::filesystem::path& file,
                                  const std::filesystem::path& to);

}  // namespace xkde::catalog

#endif  // XKDE_STAGES_CATALOG_CATALOG_H_
