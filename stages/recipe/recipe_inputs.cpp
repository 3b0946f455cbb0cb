#include "stages/recipe/recipe_inputs.h"

#include <fstream>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "core/base/error.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

bool can_open(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    const fs::directory_iterator entries(path, error);
    return !error;
  }
  return std::ifstream(path, std::ios::binary).is_open();
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
    if (can_open(input)) return true;
    std::string found = "found nothing that can be opened at " + input.string();
    if (input.string().find('$') != std::string::npos || input.string().starts_with('~'))
      found += " (variables and ~ are not expanded)";
    add(path, "expected " + expected + ", " + found, ExitCode::kMissingInput);
    return false;
  }

  /// Runs a check of the caller and keeps what it throws.
  template <typename Check, typename Input>
  void run(const std::string& path, const Check& check, const Input& input) {
    if (!check) return;
    try {
      check(input);
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
  ExitCode code_ = ExitCode::kDone;
};

void check_model(const Recipe& recipe, const InputChecks& checks, Faults& faults) {
  const std::string path = "model.model_name_or_path";
  const std::string expected = "a Hugging Face folder or a .gguf file";
  const fs::path& model = recipe.model.model_name_or_path;
  if (!faults.opens(path, model, expected)) return;
  std::error_code error;
  if (fs::is_directory(model, error)) {
    if (!faults.opens(path, model / "config.json", expected)) return;
  } else if (model.extension() != ".gguf") {
    faults.add(path, "expected " + expected + ", found the file " + model.string(),
               ExitCode::kBadRecipe);
    return;
  }
  faults.run(path, checks.model, model);
}

constexpr const char* kEdits = "a file or folder of the benchmark";

/// The inputs of one kind of stage; `path` leads to the stage.
class StageInputs {
 public:
  StageInputs(std::string path, const InputChecks& checks, Faults& faults)
      : path_(std::move(path)), checks_(checks), faults_(faults) {}

  void operator()(const BuildDataStage& stage) const {
    for (size_t i = 0; i < stage.sources.size(); ++i)
      check_source(concat(path_, ".sources.", i, ".data"), stage.sources[i]);
    for (size_t i = 0; i < stage.exclude.size(); ++i) {
      const std::string path = concat(path_, ".exclude.", i, ".data");
      if (faults_.opens(path, stage.exclude[i].data, kEdits))
        faults_.run(path, checks_.excluded, stage.exclude[i]);
    }
  }
  void operator()(const SftStage& stage) const { check_train_data(stage.train_data); }
  void operator()(const SampleStage& stage) const { check_train_data(stage.train_data); }
  void operator()(const RankStage& stage) const {
    if (stage.samples != RankStage::kSampled)
      faults_.opens(path_ + ".samples", stage.samples, "sample or a samples.jsonl");
    if (stage.reward != "chrf")
      faults_.opens(path_ + ".model_name_or_path", stage.model_name_or_path,
                    "the Hugging Face folder of a reward model");
  }
  void operator()(const OrpoStage& stage) const {
    if (stage.pairs != OrpoStage::kRanked)
      faults_.opens(path_ + ".pairs", stage.pairs, "rank or a pairs.jsonl");
  }
  void operator()(const EvaluateStage& stage) const {
    bool opens = faults_.opens(path_ + ".data", stage.data, kEdits);
    if (stage.demonstrations)
      opens &= faults_.opens(path_ + ".demonstrations.data", stage.demonstrations->data, kEdits);
    if (stage.retriever)
      opens &= faults_.opens(path_ + ".retriever.model_name_or_path",
                             stage.retriever->model_name_or_path,
                             "the Hugging Face folder of a sentence encoder");
    if (opens) faults_.run(path_ + ".data", checks_.evaluation, stage);
  }
  void operator()(const ExportStage& stage) const {
    if (!stage.memory.empty())
      faults_.opens(path_ + ".memory", stage.memory, "an edit memory (xkde_dist ask --memory)");
  }

 private:
  void check_source(const std::string& path, const EditSelection& edits) const {
    if (faults_.opens(path, edits.data, kEdits)) faults_.run(path, checks_.edits, edits);
  }

  void check_train_data(const std::string& train_data) const {
    if (train_data == SftStage::kBuiltData) return;
    const std::string path = path_ + ".train_data";
    if (faults_.opens(path, train_data, "build_data or a training file"))
      faults_.run(path, checks_.train_data, fs::path(train_data));
  }

  std::string path_;
  const InputChecks& checks_;
  Faults& faults_;
};

}  // namespace

void validate_inputs(const Recipe& recipe, const InputChecks& checks) {
  Faults faults(recipe);
  check_model(recipe, checks, faults);
  for (size_t i = 0; i < recipe.stages.size(); ++i)
    std::visit(StageInputs(recipe.origin.stage_paths[i], checks, faults), recipe.stages[i]);
  faults.throw_if_any();
}

}  // namespace xkde::recipe
