#include "launch/validate.h"

#include <string_view>

#include "core/data/benchmarks/edit_dataset.h"
#include "core/data/benchmarks/knowedit.h"
#include "core/data/conversation.h"
#include "core/evaluate/eval_plan.h"
#include "core/model/encoders/sentence_encoder.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "stages/evaluate/eval_inputs.h"
#include "stages/recipe/recipe.h"
#include "stages/recipe/recipe_inputs.h"

namespace xkde {

std::string validate_recipe(const std::filesystem::path& file,
                            const std::vector<std::string>& overrides) {
  const recipe::Recipe recipe = recipe::read_recipe(file, overrides);
  recipe::InputChecks checks;
  checks.model = [&](const std::filesystem::path& path) {
    const PretrainedModel model = open_pretrained(path);
    ChatTemplate::select(recipe.model.chat_template, model.chat_template);
  };
  checks.edits = [](const recipe::EditSelection& edits) {
    if (is_knowedit_name(edits.benchmark)) {
      const KnowEditSet set = knowedit_from_name(edits.benchmark);
      read_knowedit(set, find_knowedit_file(set, edits.data, KnowEditSplit::kTrain));
      return;
    }
    for (const std::string& edit : edits.edit_languages) {
      for (const std::string& test : edits.test_languages) {
        load_edits(benchmark_from_name(edits.benchmark), edits.data, edit, test,
                   Slice::parse(edits.records));
      }
    }
  };
  checks.evaluation = [](const recipe::EvaluateStage& stage) {
    const recipe::EvalInputs inputs = recipe::read_eval_inputs(stage);
    edit_moments(edit_mode_from_name(stage.mode), stage.sizes, eval_when_from_name(stage.eval_when),
                 inputs.edits_of_stream());
    recipe::eval_files(stage, inputs);
    if (stage.retriever) sentence_encoder_files(stage.retriever->model_name_or_path);
  };
  checks.excluded = [](const recipe::ExcludedData& excluded) {
    if (is_knowedit_name(excluded.benchmark)) {
      const KnowEditSet set = knowedit_from_name(excluded.benchmark);
      read_knowedit(set, find_knowedit_file(set, excluded.data, KnowEditSplit::kTest));
    } else {
      load_all_edits(benchmark_from_name(excluded.benchmark), excluded.data);
    }
  };
  checks.train_data = [](const std::filesystem::path& path) { read_conversations(path); };
  recipe::validate_inputs(recipe, checks);
  return file.string() + ": valid, " + std::to_string(recipe.stages.size()) + " stages\n";
}

std::string_view ValidateCommand::summary() const {
  return "check the recipe and open its inputs; reports every mistake at once";
}

std::vector<std::string_view> ValidateCommand::examples() const {
  return {"xkde_dist validate recipe.yaml model.dtype=float32"};
}

int ValidateCommand::run() {
  print(validate_recipe(arguments.recipe, arguments.overrides));
  return 0;
}

}  // namespace xkde
