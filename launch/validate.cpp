#include "launch/validate.h"

#include <optional>

#include "core/base/error.h"
#include "core/base/standard_output.h"
#include "core/model/families/lora_blocks.h"
#include "core/model/pretrained/held_blocks.h"
#include "core/model/pretrained/peft_adapter.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "core/text/plural.h"
#include "stages/pipeline/stage_covers.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/pipeline/stage_table.h"
#include "stages/recipe/recipe.h"
#include "stages/recipe/recipe_inputs.h"
#include "stages/run/output_path.h"
#include "stages/run/run_data.h"
#include "stages/run/run_place.h"

namespace xkde {
namespace {

/// What the adapters and stages of a recipe ask of the model, which is there once it has been
/// opened. All references outlive the checks.
std::vector<recipe::KeyCheck> model_checks(const recipe::Recipe& recipe,
                                           const std::optional<PretrainedModel>& model,
                                           const std::optional<ChatTemplate>& chat_template) {
  std::vector<recipe::KeyCheck> checks;
  if (!recipe.model.adapter.empty()) {
    checks.push_back(
        {"model.adapter", [&] { PeftAdapter::open(recipe.model.adapter, model->config); }});
  }
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    if (const LoraOptions* lora = recipe.stages[i]->adapter()) {
      checks.push_back({recipe.origin.stage_paths[i] + ".lora.target_modules",
                        [&model, lora] { lora_modules(model->config, *lora); }});
      checks.push_back({recipe.origin.stage_paths[i] + ".lora.base",
                        [&model, lora] { check_held_blocks(*model, lora->base, "lora.base"); }});
    }
    const recipe::Stage& stage = *recipe.stages[i];
    if (const auto& demand = recipe::runner_of(stage).demand) {
      checks.push_back({concat(recipe.origin.stage_paths[i], ".", demand->key),
                        [&stage, &demand, &model, &chat_template] {
                          demand->check(stage, *model, *chat_template);
                        }});
    }
  }
  return checks;
}

/// Makes of the data what the stage will compute with, on one rank.
void check_stage(const recipe::Recipe& recipe, size_t stage, const PretrainedModel& model,
                 const ChatTemplate& chat_template, recipe::RunData& data) {
  const auto check = recipe::runner_of(*recipe.stages[stage]).check;
  if (check == nullptr) return;
  const recipe::RunPlace place{};  // where makes no difference
  check(*recipe.stages[stage], {recipe, stage, model, chat_template, place, {}, data});
}

}  // namespace

std::string validate_recipe(const std::filesystem::path& file,
                            const std::vector<std::string>& overrides,
                            recipe::ChangedStages changed) {
  const recipe::Recipe recipe = recipe::read_recipe(file, recipe::kStageParsers, overrides);
  std::optional<PretrainedModel> model;  // once it has been opened
  std::optional<ChatTemplate> chat_template;
  recipe::RunData data;
  recipe::validate_inputs(
      recipe, data.files,
      [&](const std::filesystem::path& path) {
        model = open_pretrained(path);
        chat_template = ChatTemplate::select(recipe.model.chat_template,
                                             own_template(*model, recipe.model.chat_date));
        return model->config.max_position_embeddings;
      },
      [&](const recipe::NamedPath& output) { recipe::check_output(recipe, output); },
      model_checks(recipe, model, chat_template),
      [&](size_t stage) { check_stage(recipe, stage, *model, *chat_template, data); });
  if (changed == recipe::ChangedStages::kRefuse)
    recipe::check_places(recipe, model->files, data.files);
  return file.string() + ": valid, " + count_of(recipe.stages.size(), "stage") + "\n";
}

std::string_view ValidateCommand::summary() const {
  return "check the recipe, open its inputs and look at where it writes; reports every mistake at "
         "once, and what would keep a start from going on with the work that is there";
}

std::vector<std::string_view> ValidateCommand::examples() const {
  return {"xkde_dist validate recipe.yaml model.dtype=float32",
          "xkde_dist validate recipe.yaml sft.lora~"};
}

int ValidateCommand::run() {
  print(validate_recipe(arguments.recipe, arguments.overrides, recipe::ChangedStages::kRefuse));
  return 0;
}

}  // namespace xkde
