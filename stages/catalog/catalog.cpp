#include "stages/catalog/catalog.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>

#include "core/base/error.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "core/text/did_you_mean.h"
#include "stages/recipe/recipe.h"
#include "stages/recipe/yaml_reader.h"

namespace xkde::catalog {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolderVariable = "XKDE_RECIPES_DIR";
constexpr std::string_view kSchemaMark = "# yaml-language-server: $schema=";

void add_once(std::vector<std::string>& values, const std::string& value) {
  if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
}

/// The value of every key `benchmark` below `json`.
void add_benchmarks(const Json& json, std::vector<std::string>& found) {
  for (const auto& [key, value] : json.items()) {
    if (key == "benchmark" && value.is_string()) add_once(found, value);
    if (value.is_structured()) add_benchmarks(value, found);
  }
}

/// The comment that a recipe begins with, without its marks and the line for editors.
std::vector<std::string> comment_of(std::string_view text) {
  std::vector<std::string> lines;
  while (text.starts_with('#')) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with(kSchemaMark)) continue;
    lines.emplace_back(line.substr(std::min(line.find_first_not_of("# "), line.size())));
  }
  return lines;
}

/// "8" of the first "-n 8" in the lines.
std::string ranks_in(const std::vector<std::string>& lines) {
  constexpr std::string_view kOption = " -n ";
  for (const std::string& line : lines) {
    const size_t found = line.find(kOption);
    if (found == line.npos) continue;
    const size_t begin = found + kOption.size();
    const size_t end = std::min(line.find_first_not_of("0123456789", begin), line.size());
    if (end > begin) return line.substr(begin, end - begin);
  }
  return "";
}

std::string name_in(const fs::path& folder, const fs::path& file) {
  return file.lexically_relative(folder).replace_extension().generic_string();
}

/// Every recipe of the folder and of those in it, sorted.
std::vector<fs::path> recipes_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::path& path : entries_of(folder, FileOrigin::kInput)) {
    if (is_folder(path, FileOrigin::kInput)) {
      const std::vector<fs::path> inner = recipes_in(path);
      files.insert(files.end(), inner.begin(), inner.end());
    } else if (path.extension() == ".yaml") {
      files.push_back(path);
    }
  }
  return files;
}

Entry recipe_entry(const fs::path& folder, const fs::path& file, recipe::StageParsers parsers) {
  const recipe::Recipe read = recipe::read_recipe(file, parsers);
  const std::vector<std::string> comment = comment_of(recipe::read_recipe_text(file));
  Entry entry;
  entry.name = name_in(folder, file);
  entry.file = file;
  if (!comment.empty()) entry.title = comment.front();
  entry.model = read.model.model_name_or_path.filename().string();
  entry.ranks = ranks_in(comment);
  add_benchmarks(recipe::resolved(read), entry.benchmarks);
  for (const recipe::StagePtr& stage : read.stages)
    add_once(entry.stages, std::string(stage->name()));
  return entry;
}

/// Where a text names its schema.
struct NamedSchema {
  size_t begin = 0;
  size_t length = 0;
  std::string path;  ///< absolute; empty: nowhere
};

NamedSchema schema_in(const std::string& text, const fs::path& file) {
  const size_t mark = text.find(kSchemaMark);
  if (mark == text.npos) return {};
  const size_t begin = mark + kSchemaMark.size();
  const size_t length = std::min(text.find('\n', begin), text.size()) - begin;
  const fs::path schema = file.parent_path() / text.substr(begin, length);
  return {begin, length, fs::absolute(schema).lexically_normal().string()};
}

/// The nearest folder above the program's file in which recipes lie, or nothing.
std::optional<fs::path> folder_above_the_program() {
  std::error_code error;
  fs::path above = fs::read_symlink("/proc/self/exe", error);
  while (above.has_relative_path()) {
    above = above.parent_path();
    for (const char* below : {"share/xkde_dist/recipes", "recipes"}) {
      const fs::path folder = above / below;
      if (is_there(folder / "quickstart.yaml", FileOrigin::kInput)) return folder;
    }
  }
  return std::nullopt;
}

}  // namespace

fs::path recipes_folder() {
  if (const char* const named = std::getenv(kFolderVariable); named != nullptr && *named != '\0') {
    XKDE_CHECK(is_folder(named, FileOrigin::kInput), MissingInputError, kFolderVariable,
               ": expected a folder, found none at ", named);
    return named;
  }
  if (const std::optional<fs::path> folder = folder_above_the_program()) return *folder;
  throw MissingInputError(concat("recipes: expected share/xkde_dist/recipes or recipes above the ",
                                 "program, found neither; ", kFolderVariable, " names the folder"));
}

std::vector<Entry> entries(const fs::path& folder, recipe::StageParsers parsers) {
  std::vector<Entry> all;
  for (const fs::path& file : recipes_in(folder))
    all.push_back(recipe_entry(folder, file, parsers));
  return all;
}

fs::path find_recipe(const std::string& name) {
  if (kind_at(name, FileOrigin::kInput) == PathKind::kFile) return name;
  const fs::path folder = recipes_folder();
  const std::string wanted = name.ends_with(".yaml") ? name.substr(0, name.size() - 5) : name;
  std::vector<std::string> names;
  for (const fs::path& file : recipes_in(folder)) {
    names.push_back(name_in(folder, file));
    if (names.back() == wanted) return file;
  }
  throw MissingInputError(concat(folder.string(), ": expected a recipe, found none named '",
                                 recipe::printable(name), "'", did_you_mean(wanted, names)));
}

std::string schema_line(const std::string& text, const fs::path& file) {
  std::string schema = schema_in(text, file).path;
  if (const auto folder = folder_above_the_program(); schema.empty() && folder) {
    const fs::path own = folder->parent_path() / "docs/recipe.schema.json";
    if (is_there(own, FileOrigin::kInput)) schema = own.string();
  }
  return schema.empty() ? "" : std::string(kSchemaMark).append(schema).append("\n");
}

fs::path copy_recipe(const fs::path& file, const fs::path& to) {
  const bool into_folder = to.empty() || is_folder(to, FileOrigin::kOwn);
  const fs::path target = into_folder ? to / file.filename() : to;
  std::string text = recipe::read_recipe_text(file);
  if (const NamedSchema schema = schema_in(text, file); !schema.path.empty())
    text.replace(schema.begin, schema.length, schema.path);
  FileHandle copied = FileHandle::try_open(target, OpenMode::kCreate);
  if (!copied.is_open() && errno == EEXIST) refuse_taken(target, "nothing there");
  XKDE_CHECK(copied.is_open(), IoError, target.string(), ": cannot create: ", std::strerror(errno));
  copied.write_all(text);
  copied.close();
  return target;
}

}  // namespace xkde::catalog
