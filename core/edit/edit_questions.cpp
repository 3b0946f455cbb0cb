#include "core/edit/edit_questions.h"

#include <utility>

#include "core/base/error.h"

namespace xkde {

namespace {

/// The edit's own question, or the same in other words.
EditQuestion question_of(Metric metric, int64_t position, const std::string& question,
                         const EditSide& side) {
  EditQuestion asked{.kind = {metric, {}},
                     .probe = position,
                     .question = question,
                     .target = side.alt,
                     .answers = {side.alt}};
  asked.answers.insert(asked.answers.end(), side.aliases.begin(), side.aliases.end());
  return asked;
}

std::string behind(const std::string& preface, const std::string& text) {
  return preface.empty() ? text : concat(preface, "\n\n", text);
}

/// The plain kinds of parallel edits are whole metrics; the others are parts of one.
MetricKind kind_of(ProbeKind probe) {
  const Metric metric = is_locality(probe) ? Metric::kLocality : Metric::kPortability;
  if (probe == ProbeKind::kLocality || probe == ProbeKind::kPortability) return {metric, {}};
  return {metric, probe};
}

EditQuestion question_of(const Probe& probe) {
  EditQuestion question{.kind = kind_of(probe.kind),
                        .probe = probe.position,
                        .question = probe.question,
                        .target = probe.target,
                        .answers = {}};
  for (const auto& aliases : probe.answers)
    question.answers.insert(question.answers.end(), aliases.begin(), aliases.end());
  return question;
}

}  // namespace

std::string MetricKind::name() const {
  std::string text(name_of(kMetricNames, metric));
  if (probe) text.append(".").append(name_of(kProbeKindNames, *probe));
  return text;
}

std::string EditQuestion::whole_text() const { return behind(preface, question); }

std::string EditQuestion::shown_text() const {
  return preface_place == PrefacePlace::kQuestion ? whole_text() : question;
}

std::string EditQuestion::prompt_of(const std::string& shown) const {
  return preface_place == PrefacePlace::kPrompt ? behind(preface, shown) : shown;
}

std::vector<EditQuestion> edit_questions(const EditSide& test_side) {
  std::vector<EditQuestion> questions{
      question_of(Metric::kReliability, 0, test_side.src, test_side)};
  for (const std::string& rephrase : test_side.rephrases) {
    const auto position = std::ssize(questions) - 1;
    questions.push_back(question_of(Metric::kGenerality, position, rephrase, test_side));
  }
  for (const Probe& probe : test_side.probes) questions.push_back(question_of(probe));
  return questions;
}

EvalEdit eval_edit(const EditRecord& record, const Language& edit, const Language& test,
                   QuestionForm form, std::map<std::string, int64_t>& skipped) {
  const EditSide& edited = side_of(record, edit);
  const EditSide& asked = side_of(record, test);
  for (const std::string& reason : asked.left_out) ++skipped[reason];
  EvalEdit result{record.index, edited.src, edited.alt, {}, edited.subject};
  for (EditQuestion& question : edit_questions(asked)) {
    // LTE's loader reads no rephrase.
    const bool is_read = question.probe == 0 && question.kind.metric != Metric::kGenerality;
    if (form == QuestionForm::kLte && !is_read) continue;
    if (question.target.empty()) {
      ++skipped[question.kind.name() + ": first answer empty"];
    } else {
      result.asked.push_back(std::move(question));
    }
  }
  return result;
}

const EditSide& side_of(const EditRecord& record, const Language& language) {
  const auto found = record.sides.find(language.iso);
  XKDE_CHECK(found != record.sides.end(), DataError, "record ", record.index,
             ": expected a side in ", language.english_name, ", found none");
  return found->second;
}

}  // namespace xkde
