#include "core/edit/build_data.h"

#include <array>
#include <utility>

#include "core/base/error.h"
#include "core/edit/edit_questions.h"
#include "core/edit/prompt.h"

namespace xkde {

namespace {

constexpr std::array<std::pair<std::string_view, QuestionKind>, 4> kKinds{{
    {"src", QuestionKind::kSrc},
    {"rephrase", QuestionKind::kRephrase},
    {"loc", QuestionKind::kLoc},
    {"portability", QuestionKind::kPortability},
}};

/// The probes of a side that are locality, or those that are not.
std::vector<QaPair> probes_of(const EditSide& side, bool locality) {
  std::vector<QaPair> pairs;
  for (const Probe& probe : side.probes) {
    if (is_locality(probe.kind) == locality) pairs.push_back({probe.question, probe.first_alias()});
  }
  return pairs;
}

/// What examples of that kind ask.
std::vector<QaPair> questions_of(const EditSide& side, QuestionKind kind) {
  std::vector<QaPair> pairs;
  switch (kind) {
    case QuestionKind::kSrc:
      return {{side.src, side.alt}};
    case QuestionKind::kRephrase:
      for (const std::string& rephrase : side.rephrases) pairs.push_back({rephrase, side.alt});
      return pairs;
    case QuestionKind::kLoc:
      return probes_of(side, /*locality=*/true);
    case QuestionKind::kPortability:
      return probes_of(side, /*locality=*/false);
  }
  throw InternalError("question kind: not one of the enumerators");
}

}  // namespace

QuestionKind question_kind_from_name(std::string_view name) {
  std::string known;
  for (const auto& [key, kind] : kKinds) {
    if (key == name) return kind;
    known += (known.empty() ? "" : ", ") + std::string(key);
  }
  throw ConfigError(concat("questions: expected some of ", known, ", found \"", name, "\""));
}

std::string_view question_kind_name(QuestionKind kind) {
  for (const auto& [name, known] : kKinds) {
    if (known == kind) return name;
  }
  throw InternalError("question kind: not one of the enumerators");
}

void append_examples(std::vector<TrainingExample>& examples, const std::vector<EditRecord>& records,
                     std::string_view source, const Language& edit, const Language& test,
                     const BuildOptions& options) {
  const auto next_id = [&](std::string_view kind) {
    return concat("identity_", examples.size(), "_", source, "_", edit.iso, test.iso, "_", kind);
  };
  const RowLanguages languages{edit.iso, test.iso};
  for (const EditRecord& record : records) {
    const EditSide& edited = side_of(record, edit);
    const std::vector<std::string> facts{fact_text(edited.src, edited.alt)};
    const EditSide& asked = side_of(record, test);
    for (const QuestionKind kind : options.questions) {
      for (const QaPair& pair : questions_of(asked, kind)) {
        examples.push_back({next_id(question_kind_name(kind)), pair.question,
                            edit_prompt(facts, pair.question, test, options.prompt_language),
                            pair.answer, languages});
        if (kind != QuestionKind::kLoc || !options.without_edit) continue;
        examples.push_back(
            {next_id("loc_without_edit"), pair.question, pair.question, pair.answer, languages});
      }
    }
  }
}

int64_t remove_test_questions(std::vector<TrainingExample>& examples, const TestQuestions& asked) {
  const size_t removed = std::erase_if(examples, [&asked](const TrainingExample& example) {
    return asked.contains(example.question);
  });
  return static_cast<int64_t>(removed);
}

std::vector<Conversation> to_conversations(const std::vector<TrainingExample>& examples) {
  std::vector<Conversation> conversations;
  conversations.reserve(examples.size());
  for (const TrainingExample& example : examples) {
    conversations.push_back({example.id,
                             {{ChatMessage::Role::kUser, example.user},
                              {ChatMessage::Role::kAssistant, example.answer}},
                             example.languages});
  }
  return conversations;
}

}  // namespace xkde
