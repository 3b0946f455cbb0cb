#include "launch/sweep/sweep.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/standard_output.h"
#include "core/io/file.h"
#include "core/text/plural.h"
#include "core/text/text_layout.h"
#include "launch/command_line/folder_argument.h"
#include "launch/shell/shell_word.h"
#include "stages/catalog/catalog.h"
#include "stages/catalog/yaml_writer.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"
#include "stages/recipe/recipe_inputs.h"
#include "stages/recipe/recorded_recipe.h"
#include "stages/run/fresh_folder.h"
#include "stages/run/output_path.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

/// One recipe of the sweep.
struct Point {
  std::string name;  ///< of the file and of the run
  std::string text;
  fs::path run;  ///< the run's folder
  std::vector<recipe::NamedPath> outputs;
};

/// A name of a file that needs no quotes. launch/slurm takes words with '=' for keys.
std::string safe_name(const std::string& text) {
  constexpr size_t kMostLetters = 100;
  std::string name = text.substr(0, kMostLetters);
  for (char& letter : name) {
    const bool is_safe = std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' ||
                         letter == '-' || letter == '.';
    if (!is_safe) letter = '_';
  }
  if (name.starts_with('-') || name.starts_with('.')) name.front() = '_';
  return name;
}

fs::path folder_of(const SweepCommand& command) {
  if (!command.folder.empty()) return new_folder_name(command.name(), command.folder);
  return safe_name(command.arguments.recipe.stem().string()) + "-sweep";
}

/// "sft.learning_rate=1e-4 seed=2"
std::string what_differs(const Grid& grid, size_t point, std::string_view gap = " ") {
  const std::vector<std::string> keys = grid.keys();
  const std::vector<std::string> values = grid.values(point);
  std::string text;
  for (size_t i = 0; i < keys.size(); ++i) {
    text += concat(i == 0 ? "" : gap, keys[i], '=',
                   recipe::printable(values[i], recipe::YamlLimits{}.max_text_bytes));
  }
  return text;
}

/// Where the runs of the sweep go: beside the folder that the recipe names, as it names it.
std::string runs_folder(const recipe::YamlNode& tree, const recipe::Recipe& read,
                        const fs::path& folder) {
  const recipe::YamlNode::Entry* named = tree.find("output_dir");
  const bool is_named = named != nullptr && !named->value->text.empty();
  std::string output = is_named ? named->value->text : read.output_dir.string();
  while (output.size() > 1 && output.ends_with('/')) output.pop_back();
  const size_t slash = output.rfind('/');
  const size_t begin = slash == output.npos ? 0 : slash + 1;
  const std::string last = output.substr(begin);
  const bool is_a_name = !last.empty() && last != "." && last != ".." && last.front() != '~' &&
                         last.find("${") == last.npos;
  if (is_a_name) output.resize(begin);
  if (!output.empty() && !output.ends_with('/')) output += '/';
  return output + safe_name(folder.filename().string());
}

std::string command_line_of(const SweepCommand& command) {
  std::string line = concat("xkde_dist ", command.name());
  for (const std::string& word : command.arguments.words) line += " " + shell_word(word);
  if (!command.folder.empty()) line += " --out " + shell_word(command.folder.string());
  return line;
}

std::string comment_of(const SweepCommand& command, size_t point) {
  const std::string recipe = command.arguments.recipe.string();
  return concat("# Recipe ", point, " of those from 0 to ", command.grid->size() - 1,
                " that a sweep made of ", recipe, ", whose comments are there:\n#   ",
                recipe::printable(command_line_of(command), recipe::YamlLimits{}.max_bytes),
                "\n# What differs:\n#   ", what_differs(*command.grid, point, "\n#   "), "\n");
}

/// Reads the recipe at the points of the grid, one after another.
class PointMaker {
 public:
  PointMaker(const SweepCommand& command, fs::path folder)
      : command_(command),
        folder_(std::move(folder)),
        text_(recipe::read_recipe_text(command.arguments.recipe)),
        schema_line_(catalog::schema_line(text_, command.arguments.recipe)) {}

  Point make(size_t index) {
    try {
      return made(index);
    } catch (const ConfigError& error) {
      throw ConfigError(concat("point ", number(index), " (", what_differs(*command_.grid, index),
                               "): ", error.what()));
    }
  }

 private:
  std::string number(size_t index) const {
    const size_t digits = std::max<size_t>(std::to_string(command_.grid->size() - 1).size(), 2);
    return fmt::format("{:0>{}}", index, digits);
  }

  Point made(size_t index) {
    const std::vector<std::string> overrides = command_.grid->overrides(index);
    const std::string file = command_.arguments.recipe.string();
    const recipe::Recipe read = recipe::parse_recipe(text_, file, recipe::kStageParsers, overrides);
    check_new(index, recipe::resolved(read).dump());
    const recipe::YamlPtr tree = recipe::recipe_tree(text_, file, recipe::kStageParsers, overrides);
    Point point;
    point.name = safe_name(read.run_name) + "-" + number(index);
    const recipe::YamlPtr other =
        recipe::as_another_run(tree, read.output_dir.string(), point.name,
                               concat(runs_folder(*tree, read, folder_), '/', point.name));
    point.text = schema_line_ + comment_of(command_, index) + catalog::to_yaml(*other);
    const recipe::Recipe swept =
        recipe::parse_recipe(point.text, point.name + ".yaml", recipe::kStageParsers);
    point.run = swept.output_dir;
    for (const recipe::NamedPath& output : recipe::outputs_of(swept)) {
      const fs::path path = recipe::normalised(output.path);
      point.outputs.push_back({concat(read.origin.place_of(output.key), ": ", output.key), path});
    }
    return point;
  }

  /// Two points with one recipe are a mistake: "0.1" and "1e-1", or a key that is there twice.
  void check_new(size_t index, std::string resolved) {
    const auto [known, is_new] = known_.emplace(std::move(resolved), index);
    XKDE_CHECK(is_new, UsageError,
               "sweep: expected another recipe at each point, found the same at ",
               number(known->second), " (", what_differs(*command_.grid, known->second), ") and ",
               number(index), " (", what_differs(*command_.grid, index), ")");
  }

  const SweepCommand& command_;
  fs::path folder_;
  std::string text_;
  std::string schema_line_;
  std::map<std::string, size_t> known_;
};

/// No two runs may write into one folder.
void check_apart(const std::vector<Point>& points) {
  std::map<fs::path, const Point*> owners;
  const auto check = [&owners](const recipe::NamedPath& output, const Point& point,
                               const fs::path& path) {
    const auto found = owners.find(path);
    XKDE_CHECK(found == owners.end() || found->second == &point, ConfigError, output.key,
               ": expected a folder in output_dir, or another at each point, found ",
               output.path.string(), " in ", point.name, " and ", path.string(), " in ",
               found->second->name);
  };
  for (const Point& point : points) {
    for (const recipe::NamedPath& output : point.outputs) {
      check(output, point, output.path);
      owners.emplace(output.path, &point);
    }
  }
  for (const Point& point : points) {
    for (const recipe::NamedPath& output : point.outputs) {
      for (fs::path above = output.path; above.has_relative_path(); above = above.parent_path())
        check(output, point, above);
    }
  }
}

std::vector<Point> points_of(const SweepCommand& command, const fs::path& folder) {
  PointMaker maker(command, folder);
  std::vector<Point> points;
  for (size_t i = 0; i < command.grid->size(); ++i) points.push_back(maker.make(i));
  check_apart(points);
  for (const Point& point : points) recipe::check_new_folder(point.run);
  return points;
}

void write(const std::vector<Point>& points, const fs::path& folder) {
  for (const Point& point : points) {
    FileHandle file = FileHandle::open(folder / (point.name + ".yaml"), OpenMode::kCreate);
    file.write_all(point.text);
    file.sync();
    file.close();
  }
}

std::string table_of(const Grid& grid, const std::vector<Point>& points) {
  TextGrid lines{{"recipe"}};
  for (const std::string& key : grid.keys()) lines.front().push_back(key);
  for (size_t i = 0; i < points.size(); ++i) {
    lines.push_back({points[i].name});
    for (const std::string& value : grid.values(i))
      lines.back().push_back(recipe::printable(value, recipe::YamlLimits{}.max_text_bytes));
  }
  return aligned(lines, {.most = output_columns(), .is_left = true});
}

std::string what_to_do(const std::vector<Point>& points, const fs::path& folder) {
  const std::string recipes = shell_word(folder.string()) + "/*.yaml";
  const std::string runs = shell_word(points.front().run.parent_path().string()) + "/*[0-9]";
  return concat("one after another, on two ranks:\n  for recipe in ", recipes,
                "; do mpirun -n 2 --bind-to none xkde_dist \"$recipe\"; done\n",
                "or as an array of jobs, where launch/slurm is:\n  sbatch --array=0-",
                points.size() - 1, " launch/slurm/sweep.sbatch ", recipes,
                "\nand then:\n  xkde_dist report ", runs, "\n");
}

}  // namespace

std::string make_sweep(const SweepCommand& command) {
  const fs::path folder = folder_of(command);
  recipe::check_new_folder(folder);
  const std::vector<Point> points = points_of(command, folder);
  std::string text = table_of(*command.grid, points);
  if (command.only_checks)
    return text + concat("\n", count_of(points.size(), "recipe"),
                         ", valid; --dry-run writes none of them\n");
  recipe::make_new_folder(folder, [&](const fs::path& filled) { write(points, filled); });
  return text + concat("\n", count_of(points.size(), "recipe"), " in ", folder.string(), "\n\n") +
         what_to_do(points, folder);
}

std::string_view SweepCommand::summary() const {
  return "make a recipe of each point of a grid: a key with several values is an axis, one value "
         "holds for all. Each recipe has a run_name and an output_dir of its own. All are checked "
         "before any is written, and nothing is replaced";
}

std::vector<std::string_view> SweepCommand::examples() const {
  return {"xkde_dist sweep recipes/quickstart.yaml sft.learning_rate=1e-4,2e-4 seed=1,2,3",
          "xkde_dist sweep my.yaml 'evaluate.test_languages=[de],[de,fr]' --out tongues --dry-run"};
}

void SweepCommand::define(CLI::App& app) {
  app.add_option(
      "RECIPE.yaml", arguments.words,
      "the recipe, and behind it keys as in a run. key.path=a,b gives a key several "
      "values, the first such key the slowest; commas within [], {} or quotes part none");
  app.add_option("--out", folder, "the folder to make (default: the recipe's name with \"-sweep\")")
      ->type_name("FOLDER");
  app.add_flag("--dry-run", only_checks, "check and print the grid, write nothing");
}

void SweepCommand::check(std::span<const std::string> /*names*/) {
  arguments.check(name());
  if (!folder.empty()) {
    const std::string named = new_folder_name(name(), folder).string();
    XKDE_CHECK(
        named.find('=') == named.npos, UsageError,
        "sweep: --out: expected a name without '=', which launch/slurm takes for a key, found ",
        in_quotes(named));
  }
  grid.emplace(arguments.overrides);
}

int SweepCommand::run() {
  print(make_sweep(*this));
  return 0;
}

}  // namespace xkde
