#ifndef XKDE_TESTS_CORE_EVALUATE_EVAL_CASES_H_
#define XKDE_TESTS_CORE_EVALUATE_EVAL_CASES_H_

#include <string>
#include <utility>
#include <vector>

#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_questionnaire.h"

namespace xkde::test {

/// The edit "q0 -> a0" with a question of the metrics reliability, generality and locality.
inline EvalEdit eval_edit(int64_t number) {
  const std::string tag = std::to_string(number);
  const auto asked = [](Metric metric, const std::string& question, const std::string& target) {
    return EditQuestion{.kind = {metric, {}},
                        .probe = 0,
                        .question = question,
                        .target = target,
                        .answers = {target}};
  };
  return {.record = 10 + number,
          .question = "q" + tag,
          .target = "a" + tag,
          .asked = {asked(Metric::kReliability, "q" + tag, "a" + tag),
                    asked(Metric::kGenerality, "r" + tag, "a" + tag),
                    asked(Metric::kLocality, "far", "l")}};
}

/// One stream of `count` edits in the pair en -> es.
inline EvalInputs eval_inputs(int64_t count) {
  EvalInputs inputs;
  inputs.pairs = {{"en", "es"}};
  inputs.streams.emplace_back();
  for (int64_t i = 0; i < count; ++i) {
    inputs.streams[0].edits.push_back(eval_edit(i));
    inputs.streams[0].pairs.push_back(0);
  }
  return inputs;
}

/// Each edit with its own fact, in single mode.
inline EvalQuestionnaire questionnaire(const EvalOptions& options, const EvalInputs& inputs) {
  return make_questionnaire(
      options, inputs,
      edit_moments(options.mode, options.sizes, options.eval_when, inputs.edits_of_stream()), {},
      {});
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_CORE_EVALUATE_EVAL_CASES_H_
