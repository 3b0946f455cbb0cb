#include "core/edit/edit_questions.h"

#include <utility>

#include "core/base/error.h"

namespace xkde {

namespace {

EditQuestion question_of(Metric metric, const std::string& question, const std::string& target) {
  return {.kind = {metric, {}},
          .probe = 0,
          .question = question,
          .target = target,
          .answers = {target}};
}

EditQuestion question_of(Metric metric, const KnowEditProbe& probe) {
  EditQuestion question{.kind = {metric, probe.kind},
                        .probe = probe.position,
                        .question = probe.prompt,
                        .target = probe.first_answer,
                        .answers = {}};
  for (const auto& aliases : probe.answers)
    question.answers.insert(question.answers.end(), aliases.begin(), aliases.end());
  return question;
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

std::string MetricKind::name() const {
  std::string text(metric_name(metric));
  if (probe) text.append(".").append(probe_kind_name(*probe));
  return text;
}

std::vector<EditQuestion> edit_questions(const EditSide& test_side) {
  std::vector<EditQuestion> questions{
      question_of(Metric::kReliability, test_side.src, test_side.alt)};
  if (!test_side.rephrase.empty())
    questions.push_back(question_of(Metric::kGenerality, test_side.rephrase, test_side.alt));
  if (const auto& probe = test_side.locality)
    questions.push_back(question_of(Metric::kLocality, probe->question, probe->answer));
  if (const auto& probe = test_side.portability)
    questions.push_back(question_of(Metric::kPortability, probe->question, probe->answer));
  return questions;
}

EvalEdit eval_edit(const EditRecord& record, const Language& edit, const Language& test) {
  const EditSide& edited = side_of(record, edit);
  return {.record = record.index,
          .question = edited.src,
          .target = edited.alt,
          .asked = edit_questions(side_of(record, test))};
}

EvalEdit eval_edit(const KnowEditRecord& record, KnowEditForm form,
                   std::map<std::string, int64_t>& skipped) {
  EvalEdit edit{record.index, record.prompt, record.target, {}};
  edit.asked.push_back(question_of(Metric::kReliability, record.prompt, record.target));
  // LTE's loader does not read it.
  if (!record.rephrase.empty() && form == KnowEditForm::kEasyEdit)
    edit.asked.push_back(question_of(Metric::kGenerality, record.rephrase, record.target));
  for (const auto& [metric, probes] : {std::pair{Metric::kLocality, &record.locality},
                                       std::pair{Metric::kPortability, &record.portability}}) {
    for (const KnowEditProbe& probe : *probes) {
      if (form == KnowEditForm::kLte && probe.position != 0) continue;
      EditQuestion question = question_of(metric, probe);
      if (question.target.empty()) {
        ++skipped[question.kind.name() + ": first answer empty"];
      } else {
        edit.asked.push_back(std::move(question));
      }
    }
  }
  return edit;
}

const EditSide& side_of(const EditRecord& record, const Language& language) {
  const auto found = record.sides.find(language.iso);
  XKDE_CHECK(found != record.sides.end(), DataError, "record ", record.index,
             ": expected a side in ", language.english_name, ", found none");
  return found->second;
}

}  // namespace xkde
