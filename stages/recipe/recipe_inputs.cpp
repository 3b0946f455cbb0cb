#include "stages/recipe/recipe_inputs.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// Whether there is a folder or a regular file. Throws MissingInputError where it can't be opened.
bool can_open(const fs::path& path) {
  if (is_folder(path, FileOrigin::kInput)) {
    (void)entries_of(path, FileOrigin::kInput);
    return true;
  }
  return open_if_there(path, FileOrigin::kInput).has_value();
}

/// The faults of a recipe's inputs, in the order of the recipe.
class Faults {
 public:
  explicit Faults(const Recipe& recipe) : recipe_(recipe) {}

  void add(const std::string& path, const std::string& what, ExitCode code) {
    lines_.push_back(recipe_.origin.place_of(path) + ": " + path + ": " + what);
    if (code_ == ExitCode::kDone || code == ExitCode::kMissingInput) code_ = code;
  }

  /// Adds a fault and answers false when the input can't be opened.
  bool opens(const std::string& path, const fs::path& input, const std::string& expected) {
    try {
      if (can_open(input)) return true;
    } catch (const MissingInputError& error) {
      add(path, "expected " + expected + ", found what can't be opened: " + error.what(),
          ExitCode::kMissingInput);
      return false;
    }
    std::string found = "found nothing that can be opened at " + input.string();
    if (input.string().find('$') != std::string::npos || input.string().starts_with('~'))
      found += " (variables and ~ are not expanded)";
    add(path, "expected " + expected + ", " + found, ExitCode::kMissingInput);
    return false;
  }

  /// Runs a check and keeps what it throws.
  void run(const std::string& path, const std::function<void()>& check) {
    try {
      check();
    } catch (const DataError& error) {
      // A file that several stages read is told of once: it may have many faults.
      const auto [told, is_new] = told_.emplace(error.what(), path);
      const std::string what = is_new ? error.what() : "the same fault as " + told->second;
      add(path, what, error.exit_code());
    } catch (const Error& error) {
      add(path, error.what(), error.exit_code());
    }
  }

  void throw_if_any() const {
    if (lines_.empty()) return;
    std::string text;
    if (lines_.size() > 1) text = concat(recipe_.origin.file, ": ", lines_.size(), " errors\n");
    for (size_t i = 0; i < lines_.size(); ++i) text += (i == 0 ? "" : "\n") + lines_[i];
    XKDE_CHECK(code_ != ExitCode::kMissingInput, MissingInputError, text);
    XKDE_CHECK(code_ != ExitCode::kBadData, DataError, text);
    throw ConfigError(text);
  }

 private:
  const Recipe& recipe_;
  std::vector<std::string> lines_;
  std::map<std::string, std::string> told_;  ///< what is wrong with data -> where
  ExitCode code_ = ExitCode::kDone;
};

/// Returns the tokens of the model's context, 0 where it has a fault.
int64_t check_model_of(const Recipe& recipe, const ModelCheck& check, Faults& faults) {
  const std::string path = "model.model_name_or_path";
  const std::string expected = "a Hugging Face folder or a .gguf file";
  const fs::path& model = recipe.model.model_name_or_path;
  if (!faults.opens(path, model, expected)) return 0;
  int64_t context_length = 0;
  faults.run(path, [&] {
    if (is_folder(model, FileOrigin::kInput)) {
      if (!faults.opens(path, model / "config.json", expected)) return;
    } else if (model.extension() != ".gguf") {
      throw ConfigError("expected " + expected + ", found the file " + model.string());
    }
    context_length = check(model);
  });
  return context_length;
}

/// Notes the faults of one stage's inputs; `path` leads to the stage.
class StageInputs final : public InputChecker {
 public:
  StageInputs(std::string path, Faults& faults, LoadedData& files, int64_t context_length)
      : InputChecker(files, context_length), path_(std::move(path)), faults_(faults) {}

  bool opens(const std::string& key, const fs::path& input, const std::string& expected) override {
    return faults_.opens(path_ + "." + key, input, expected);
  }
  void reads(const std::string& key, const std::function<void()>& read) override {
    faults_.run(path_ + "." + key, read);
  }
  void refuse(const std::string& key, const std::string& what) override {
    faults_.add(path_ + "." + key, what, ExitCode::kBadRecipe);
  }

 private:
  std::string path_;
  Faults& faults_;
};

/// Collects what a stage names.
class NamedInputs final : public InputChecker {
 public:
  using InputChecker::InputChecker;
  bool opens(const std::string& key, const fs::path& input,
             const std::string& /*expected*/) override {
    if (!input.empty()) found.push_back({key, input});
    return false;
  }
  void reads(const std::string& /*key*/, const std::function<void()>& /*read*/) override {}
  void refuse(const std::string& /*key*/, const std::string& /*what*/) override {}

  std::vector<NamedPath> found;
};

}  // namespace

std::vector<NamedPath> inputs_of(const Stage& stage) {
  LoadedData files;
  NamedInputs inputs(files);
  stage.check_inputs(inputs);
  return inputs.found;
}

std::vector<NamedPath> inputs_of(const Recipe& recipe) {
  std::vector<NamedPath> all{{"model.model_name_or_path", recipe.model.model_name_or_path}};
  if (!recipe.model.adapter.empty()) all.push_back({"model.adapter", recipe.model.adapter});
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    for (NamedPath& input : inputs_of(*recipe.stages[i])) {
      input.key = recipe.origin.stage_paths[i] + "." + input.key;
      all.push_back(std::move(input));
    }
  }
  return all;
}

std::vector<NamedPath> outputs_of(const Recipe& recipe) {
  std::vector<NamedPath> all{{"output_dir", recipe.output_dir}};
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    for (const NamedPath& output : recipe.stages[i]->outputs())
      all.push_back({recipe.origin.stage_paths[i] + "." + output.key, output.path});
  }
  return all;
}

void validate_inputs(const Recipe& recipe, LoadedData& files, const ModelCheck& check_model,
                     const OutputCheck& check_output, const std::vector<KeyCheck>& of_model,
                     const StageCheck& check_stage) {
  Faults faults(recipe);
  const int64_t context_length = check_model_of(recipe, check_model, faults);
  for (const auto& [key, check] : of_model) {
    if (context_length > 0) faults.run(key, check);
  }
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    StageInputs inputs(recipe.origin.stage_paths[i], faults, files, context_length);
    recipe.stages[i]->check_inputs(inputs);
  }
  if (check_output) {
    for (const NamedPath& output : outputs_of(recipe))
      faults.run(output.key, [&] { check_output(output); });
  }
  faults.throw_if_any();
  if (!check_stage) return;
  for (size_t i = 0; i < recipe.stages.size(); ++i)
    faults.run(recipe.origin.stage_paths[i], [&] { check_stage(i); });
  faults.throw_if_any();
}

}  // namespace xkde::recipe
