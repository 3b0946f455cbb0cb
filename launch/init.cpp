#include "launch/init.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"
#include "core/base/standard_output.h"
#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/model/pretrained/pretrained.h"
#include "launch/command_line/folder_argument.h"
#include "launch/init_files.h"
#include "launch/shell/shell_word.h"
#include "stages/run/fresh_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr int kFacts = 10;
constexpr std::string_view kRecipeFile = "recipe.yaml";
constexpr std::string_view kFactsFile = "facts.jsonl";
constexpr std::string_view kSchemaLine =
    "# yaml-language-server: $schema=../docs/recipe.schema.json\n";
/// What launch/setup.sh brings, as the recipe names it.
constexpr const char* kDefaultModel = ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf";

/// Whether YAML sees no more in it than a letter.
bool is_plain_letter(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' || letter == '/' ||
         letter == '.' || letter == '-';
}

/// As YAML reads it for a text: itself where that is plain, else in quotes.
std::string yaml_text(const std::string& text) {
  // "1e5", "true" and "null" are no texts. A name with '_' or '/' is none of these.
  const bool is_a_name = text.find_first_of("_/") != std::string::npos;
  const bool begins_well = std::isalpha(static_cast<unsigned char>(text.front())) != 0 ||
                           text.front() == '/' || text.front() == '.';
  if (is_a_name && begins_well && std::all_of(text.begin(), text.end(), is_plain_letter))
    return text;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Every `from` of the template becomes `to`.
std::string with(std::string text, std::string_view from, const std::string& to) {
  size_t at = text.find(from);
  XKDE_CHECK(at != std::string::npos, InternalError, "init: expected ", from,
             " in the recipe, found none");
  for (; at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// Whether a model brings no chat template, so that chat_template: auto would be refused.
bool lacks_template(const fs::path& model) {
  return is_there(model, FileOrigin::kInput) &&
         own_template(open_pretrained(model), "").source.empty();
}

std::string recipe_of(const InitCommand& command, const fs::path& folder) {
  const std::string name = folder.filename().string();
  std::string text(kOwnFactsRecipe);
  text = with(text, kSchemaLine, "");  // whose path is that of the program's recipes
  text = with(text, "xkde_dist recipes/own_facts.yaml",
              concat("xkde_dist ", (folder / kRecipeFile).string()));
  text = with(text, "recipes/data/own_facts.jsonl", yaml_text((folder / kFactsFile).string()));
  text = with(text, "run_name: own_facts", concat("run_name: ", yaml_text(name)));
  text = with(text, ": runs/own_facts/model",
              concat(": ", yaml_text(concat("runs/", name, "/model"))));
  text = with(text, ": runs/own_facts\n", concat(": ", yaml_text("runs/" + name), "\n"));
  text = with(text, "runs/own_facts", "runs/" + name);  // in a comment
  if (command.model.empty()) return text;
  if (lacks_template(command.model)) {
    text = with(text, "\n  dtype: float32\n",
                "\n  dtype: float32\n"
                "  chat_template: plain  # the model has no template: questions stand as they are, "
                "in no turns\n");
  }
  return with(text, std::string(kDefaultModel), yaml_text(command.model.string()));
}

std::string first_facts() {
  size_t end = 0;
  for (int i = 0; i < kFacts; ++i) end = kOwnFacts.find('\n', end) + 1;
  return std::string(kOwnFacts.substr(0, end));
}

}  // namespace

std::string make_project(const InitCommand& command) {
  const fs::path folder = new_folder_name(command.name(), command.folder);
  recipe::make_new_folder(folder, [&](const fs::path& filled) {
    write_file_atomically(filled / kRecipeFile, recipe_of(command, folder));
    write_file_atomically(filled / kFactsFile, first_facts());
  });
  const std::string recipe = (folder / kRecipeFile).string();
  std::string text = concat(recipe, "\n", (folder / kFactsFile).string(), ": ", kFacts,
                            " facts, to put yours in their place\n");
  const fs::path model = command.model.empty() ? fs::path(kDefaultModel) : command.model;
  if (!is_there(model, FileOrigin::kInput))
    text += concat("model: nothing is at ", model.string(), " yet; set model.model_name_or_path\n");
  const std::string named = shell_word(recipe);
  return text + concat("\nnext:\n  xkde_dist validate ", named, "\n  xkde_dist ", named,
                       "\n  xkde_dist show ", shell_word("runs/" + folder.filename().string()),
                       " --lang de\n  xkde_dist ask ", named, " --lang de\n");
}

std::string_view InitCommand::summary() const {
  return "make a folder with a recipe, explained line by line, and ten facts to put your own in "
         "their place: asked before, written into the model in English, asked again in English and "
         "German, exported";
}

std::vector<std::string_view> InitCommand::examples() const {
  return {"xkde_dist init my_edits", "xkde_dist init my_edits --model models/Qwen3-0.6B"};
}

void InitCommand::define(CLI::App& app) {
  app.add_option("NAME", folder, "the folder to make; the run has its last name");
  app.add_option("--model", model,
                 "the Hugging Face folder or .gguf file to edit (default: the small model of the "
                 "set-up)")
      ->type_name("MODEL");
}

void InitCommand::check(std::span<const std::string> /*names*/) {
  XKDE_CHECK(!folder.empty(), UsageError, "init: expected a folder to make, found none");
  new_folder_name(name(), folder);
}

int InitCommand::run() {
  print(make_project(*this));
  return 0;
}

}  // namespace xkde
