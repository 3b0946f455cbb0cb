#ifndef XKDE_CORE_EDIT_EDIT_QUESTIONS_H_
#define XKDE_CORE_EDIT_EDIT_QUESTIONS_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/benchmarks/knowedit.h"
#include "core/data/edit_record.h"
#include "core/data/language.h"

namespace xkde {

/// In the order of every output file and table.
enum class Metric { kReliability, kGenerality, kLocality, kPortability };
inline constexpr Metric kMetrics[] = {Metric::kReliability, Metric::kGenerality, Metric::kLocality,
                                      Metric::kPortability};
/// "reliability" and so on, as results.json has it.
std::string_view metric_name(Metric metric);

/// What a question tests: a metric and, in KnowEdit, one of its kinds.
struct MetricKind {
  Metric metric = Metric::kReliability;
  std::optional<ProbeKind> probe = {};

  std::string name() const;  ///< "portability", "portability.Reasoning"
  auto operator<=>(const MetricKind&) const = default;
};

/// One question of one record, without any edit: question and target in the test language.
struct EditQuestion {
  MetricKind kind;
  int64_t probe = 0;  ///< position in the record's list of its kind
  std::string question;
  std::string target;                ///< what teacher forcing scores
  std::vector<std::string> answers;  ///< each of them is right, `target` among them
};

/// What protocol 6.1 asks of the side, in the order of kMetrics: a record without portability asks
/// three.
std::vector<EditQuestion> edit_questions(const EditSide& test_side);

/// Which questions of a KnowEdit record are asked: those of EasyEdit (all; protocol 6.4), or those
/// of LTE (the first of each list; protocol 6.3).
enum class KnowEditForm { kEasyEdit, kLte };

/// One edit, and what is asked about it in one language. Texts as in the file.
struct EvalEdit {
  int64_t record = 0;    ///< position in its benchmark
  std::string question;  ///< in the edit language, as is the next
  std::string target;
  std::vector<EditQuestion> asked;
};

/// Throws DataError when the record lacks a language.
EvalEdit eval_edit(const EditRecord& record, const Language& edit, const Language& test);
/// Questions whose first answer is empty are left out and counted in `skipped`
/// ("locality.Forgetfulness: first answer empty").
EvalEdit eval_edit(const KnowEditRecord& record, KnowEditForm form,
                   std::map<std::string, int64_t>& skipped);

/// The record's side in a language. Throws DataError naming record and language.
const EditSide& side_of(const EditRecord& record, const Language& language);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_EDIT_QUESTIONS_H_
