#include "launch/recipe_commands.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/standard_output.h"
#include "core/text/did_you_mean.h"
#include "core/text/text_layout.h"
#include "launch/estimate.h"
#include "stages/catalog/catalog.h"
#include "stages/catalog/yaml_writer.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"
#include "stages/recipe/recipe_schema.h"
#include "stages/recipe/yaml_reader.h"

namespace xkde {
namespace {

std::string in_lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

/// A line of the list: name, benchmarks, model, ranks.
using RecipeLine = std::vector<std::string>;

RecipeLine line_of(const catalog::Entry& entry) {
  return {entry.name,
          entry.benchmarks.empty() ? "-" : fmt::format("{}", fmt::join(entry.benchmarks, ",")),
          entry.model, entry.ranks.empty() ? "any" : entry.ranks};
}

/// What the recipe's first training takes on the ranks of its line; "-" where nothing trains, or
/// model or data are not at hand.
std::string time_of(const catalog::Entry& entry, const std::string& machine) {
  try {
    const int ranks = entry.ranks.empty() ? 1 : std::stoi(entry.ranks);
    const std::optional<double> seconds = training_seconds(entry.file, ranks, machine);
    return seconds ? in_time(*seconds) : "-";
  } catch (const MissingInputError&) {
    return "-";
  } catch (const ConfigError&) {
    return "refused";
  }
}

bool has_words(const catalog::Entry& entry, const std::vector<std::string>& words) {
  const RecipeLine line = line_of(entry);
  const std::string text =
      in_lower_case(fmt::format("{} {}", fmt::join(line, " "), fmt::join(entry.stages, " ")));
  return std::all_of(words.begin(), words.end(), [&text](const std::string& word) {
    return text.find(in_lower_case(word)) != text.npos;
  });
}

/// A line for each recipe. Where they would be wider than `most`, models and benchmarks are
/// shortened: a recipe's name tells most of both, and is what other commands take.
std::string columns(TextGrid lines, size_t most) {
  constexpr size_t kBenchmarks = 1, kModel = 2, kLeast = 10;
  for (const size_t column : {kBenchmarks, kModel}) {
    const size_t width = aligned_width(lines);
    size_t widest = 0;
    for (const RecipeLine& line : lines) widest = std::max(widest, display_width(line[column]));
    const size_t cut = std::min(width - std::min(width, most), widest - std::min(widest, kLeast));
    for (RecipeLine& line : lines) line[column] = shortened(line[column], widest - cut);
  }
  return aligned(lines, {.most = most, .is_left = true});
}

}  // namespace

std::string_view SchemaCommand::summary() const {
  return "the JSON Schema of recipes, for editors: types, ranges, names, defaults and what each "
         "key "
         "means";
}

std::vector<std::string_view> SchemaCommand::examples() const {
  return {"xkde_dist schema > recipe.schema.json",
          "xkde_dist schema | python3 -m json.tool | less"};
}

int SchemaCommand::run() {
  const recipe::KeyNotes notes(recipe::recipe_page());
  print(recipe::recipe_schema(recipe::kStageParsers, notes).dump(1) + "\n");
  return 0;
}

std::string_view RecipesCommand::summary() const {
  return "the recipes that came with the program: name, benchmarks, model, and the ranks of the "
         "command in their comment. The variable XKDE_RECIPES_DIR names another folder of them";
}

std::vector<std::string_view> RecipesCommand::examples() const {
  return {"xkde_dist recipes mzsre llama", "xkde_dist recipes orpo --time"};
}

void RecipesCommand::define(CLI::App& app) {
  app.add_option("WORD", words, "only recipes whose line or stages have these words");
  app.add_flag(
      "--time", is_timed,
      "also what the first training takes, as `estimate` predicts it, where model and data "
      "are at hand");
  app.add_option("--machine", machine, "as of `estimate`, with --time")->type_name("NAME");
}

void RecipesCommand::check(std::span<const std::string> /*names*/) {
  XKDE_CHECK(is_timed || machine == "here", UsageError,
             "recipes: expected --time beside --machine, found none");
}

int RecipesCommand::run() {
  TextGrid lines{{"name", "benchmarks", "model", "ranks"}};
  if (is_timed) lines.front().emplace_back("training");
  for (const catalog::Entry& entry :
       catalog::entries(catalog::recipes_folder(), recipe::kStageParsers)) {
    if (!has_words(entry, words)) continue;
    lines.push_back(line_of(entry));
    if (is_timed) lines.back().push_back(time_of(entry, machine));
  }
  XKDE_CHECK(lines.size() > 1, UsageError,
             "recipes: expected words of some recipe, found none with ",
             in_quotes(fmt::format("{}", fmt::join(words, " "))),
             words.empty() ? "" : did_you_mean(words.front(), {"copy", "show"}));
  print(columns(std::move(lines), output_columns()));
  return 0;
}

std::string_view RecipesCopyCommand::summary() const {
  return "copy a recipe to FILE, or into a folder (default: the current one) under its own name; "
         "nothing is ever replaced. Paths in it start at the folder in which you run it";
}

std::vector<std::string_view> RecipesCopyCommand::examples() const {
  return {"xkde_dist recipes copy quickstart my.yaml",
          "xkde_dist recipes copy paper/xkde_llama2_7b"};
}

void RecipesCopyCommand::define(CLI::App& app) {
  app.add_option("NAME", recipe, "a recipe of `xkde_dist recipes`, or a file");
  app.add_option("FILE", file, "where to");
}

void RecipesCopyCommand::check(std::span<const std::string> /*names*/) {
  XKDE_CHECK(!recipe.empty(), UsageError,
             "recipes copy: expected the name of a recipe, found none");
}

int RecipesCopyCommand::run() {
  print(catalog::copy_recipe(catalog::find_recipe(recipe), file).string() + "\n");
  return 0;
}

std::string_view RecipesShowCommand::summary() const {
  return "print a recipe: as written, or with every key that its stages have and the value that a "
         "run would have, defaults and overrides included";
}

std::vector<std::string_view> RecipesShowCommand::examples() const {
  return {"xkde_dist recipes show quickstart",
          "xkde_dist recipes show my.yaml --resolved sft.learning_rate=5e-6"};
}

void RecipesShowCommand::define(CLI::App& app) {
  app.add_option(
      "NAME", arguments.words,
      "a recipe of `xkde_dist recipes`, or a file; key.path=value behind it as in a run");
  app.add_flag("--resolved", resolved, "every key with its value");
}

void RecipesShowCommand::check(std::span<const std::string> /*names*/) {
  arguments.check(name());
  XKDE_CHECK(resolved || arguments.overrides.empty(), UsageError,
             "recipes show: expected --resolved beside overrides, found none");
}

int RecipesShowCommand::run() {
  const std::filesystem::path file = catalog::find_recipe(arguments.recipe.string());
  if (resolved) {
    const recipe::Recipe read =
        recipe::read_recipe(file, recipe::kStageParsers, arguments.overrides);
    print(catalog::to_yaml(recipe::resolved(read)));
  } else {
    print(recipe::read_recipe_text(file));
  }
  return 0;
}

}  // namespace xkde
