#include "core/edit/edit_questions.h"

#include <utility>

#include "core/base/error.h"
#include "core/edit/prompt.h"

namespace xkde {

namespace {

/// S of protocol 6.1 and the number of ids that stand behind the target in it.
struct WholeText {
  std::string text;
  size_t ids_behind = 0;
};

WholeText whole_text(const ChatTemplate& chat_template, std::string_view user,
                     std::string_view target) {
  const std::string answer(target);
  switch (chat_template.format()) {
    case ChatTemplate::Format::kChatMl:
      return {chat_template.prompt(user) + answer + chat_template.end_of_turn(), 1};
    case ChatTemplate::Format::kLlama2:
      // The blank before [INST] is the published evaluator's own: the model's template has none.
      return {concat(" [INST] ", user, " [/INST] ", answer), 0};
    case ChatTemplate::Format::kPlain:
      return {concat(user, " ", answer), 0};
  }
  throw InternalError("chat template: not one of the formats");
}

}  // namespace

std::string_view metric_name(Metric metric) {
  switch (metric) {
    case Metric::kReliability:
      return "reliability";
    case Metric::kGenerality:
      return "generality";
    case Metric::kLocality:
      return "locality";
    case Metric::kPortability:
      return "portability";
  }
  throw InternalError("metric: not one of the enumerators");
}

std::vector<EditQuestion> edit_questions(const EditSide& test_side) {
  std::vector<EditQuestion> questions{{Metric::kReliability, test_side.src, test_side.alt}};
  if (!test_side.rephrase.empty())
    questions.push_back({Metric::kGenerality, test_side.rephrase, test_side.alt});
  if (const auto& probe = test_side.locality) {
    questions.push_back({Metric::kLocality, probe->question, probe->answer});
  }
  if (const auto& probe = test_side.portability) {
    questions.push_back({Metric::kPortability, probe->question, probe->answer});
  }
  return questions;
}

std::vector<EvalPrompt> eval_prompts(const EditQuestion& question,
                                     const std::vector<std::string>& facts,
                                     std::string_view language_name) {
  std::vector<EvalPrompt> prompts;
  if (question.metric == Metric::kLocality) {
    prompts.push_back({question.metric, false, question.question, question.target});
  }
  prompts.push_back({question.metric, true, edit_prompt(facts, question.question, language_name),
                     question.target});
  return prompts;
}

std::vector<EvalPrompt> eval_prompts(const EditRecord& record, const Language& edit,
                                     const Language& test) {
  const EditSide& edited = side_of(record, edit);
  const std::vector<std::string> facts{fact_text(edited.src, edited.alt)};
  std::vector<EvalPrompt> all;
  for (const EditQuestion& question : edit_questions(side_of(record, test))) {
    for (EvalPrompt& prompt : eval_prompts(question, facts, test.english_name))
      all.push_back(std::move(prompt));
  }
  return all;
}

const EditSide& side_of(const EditRecord& record, const Language& language) {
  const auto found = record.sides.find(language.iso);
  XKDE_CHECK(found != record.sides.end(), DataError, "record ", record.index,
             ": expected a side in ", language.english_name, ", found none");
  return found->second;
}

ScoredSequence scored_sequence(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                               std::string_view user, std::string_view target) {
  const WholeText whole = whole_text(chat_template, user, target);
  ScoredSequence scored;
  scored.target_ids = tokenizer.encode(target);
  scored.ids = tokenizer.encode(whole.text);
  if (chat_template.wants_bos()) {
    XKDE_CHECK(tokenizer.bos_id(), ConfigError,
               "chat_template: expected a tokenizer with a BOS token, found none");
    scored.ids.insert(scored.ids.begin(), *tokenizer.bos_id());
  }
  const size_t num_targets = scored.target_ids.size();
  XKDE_CHECK(num_targets > 0, DataError, "target: expected at least one token, found none in \"",
             target, "\"");
  XKDE_CHECK(scored.ids.size() > num_targets + whole.ids_behind, DataError, "target \"", target,
             "\": expected fewer tokens than the whole prompt's ", scored.ids.size(), ", found ",
             num_targets);
  // The last id of the target predicts nothing that is scored, nor does what stands behind it.
  scored.ids.resize(scored.ids.size() - whole.ids_behind - 1);
  scored.first_prediction = static_cast<int64_t>(scored.ids.size() - num_targets);
  return scored;
}

}  // namespace xkde
