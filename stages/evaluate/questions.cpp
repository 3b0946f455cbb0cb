#include "stages/evaluate/questions.h"

#include <utility>
#include <vector>

#include "core/evaluate/eval_plan.h"
#include "stages/edit/edit_session.h"

namespace xkde::recipe {

namespace {

void check_editor_of(const EvaluateStage& stage, const EvalInputs& edits,
                     const SurveyInputs& inputs) {
  if (!stage.method->editor()) return;
  check_editor(*stage.method->editor(), stage.editor, inputs, edits.streams.front().edits.size());
}

}  // namespace

void check_editor_of(const EvaluateStage& stage, const SurveyInputs& inputs) {
  if (stage.method->editor())
    check_editor_of(stage, read_eval_inputs(stage, inputs.data.files), inputs);
}

EvalQuestions eval_questions(const EvaluateStage& stage, const SurveyInputs& inputs) {
  EvalInputs edits = read_eval_inputs(stage, inputs.data.files);
  check_editor_of(stage, edits, inputs);
  cut_prefixes(edits, inputs.model.tokenizer);
  std::vector<EditMoment> moments =
      edit_moments(stage.mode, stage.sizes, stage.eval_when, edits.edits_of_stream(), stage.by_age);
  EvalQuestionnaire asked = make_questionnaire(stage, edits, std::move(moments), {}, {});
  ChatTemplate format =
      stage.chat_template == EvaluateStage::kModels
          ? inputs.chat_template
          : ChatTemplate::select(stage.chat_template,
                                 own_template(inputs.model, inputs.recipe.model.chat_date));
  return {std::move(edits), std::move(asked), std::move(format)};
}

}  // namespace xkde::recipe
