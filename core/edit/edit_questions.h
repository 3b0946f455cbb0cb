#ifndef XKDE_CORE_EDIT_EDIT_QUESTIONS_H_
#define XKDE_CORE_EDIT_EDIT_QUESTIONS_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/named.h"
#include "core/data/edit_record.h"
#include "core/data/language.h"

namespace xkde {

/// In the order of every output file and table. Behind the published four, the probes that are
/// built from an edit (core/edit/probe_questions.h).
enum class Metric {
  kReliability,
  kGenerality,
  kLocality,
  kPortability,
  kNegation,
  kFactCheck,
  kReverse,
  kPrefix,
  kPersona,
  kCompletion,
  kDistance
};
/// As results.json has them.
inline constexpr Named<Metric> kMetricNames[] = {
    {"reliability", Metric::kReliability}, {"generality", Metric::kGenerality},
    {"locality", Metric::kLocality},       {"portability", Metric::kPortability},
    {"negation", Metric::kNegation},       {"fact_check", Metric::kFactCheck},
    {"reverse", Metric::kReverse},         {"prefix", Metric::kPrefix},
    {"persona", Metric::kPersona},         {"completion", Metric::kCompletion},
    {"distance", Metric::kDistance}};
/// Those that a benchmark's rows ask themselves.
inline constexpr Metric kMetrics[] = {Metric::kReliability, Metric::kGenerality, Metric::kLocality,
                                      Metric::kPortability};
/// Whether a question is built from an edit, and no row asks it.
constexpr bool is_built(Metric metric) { return metric >= Metric::kNegation; }

/// What a question tests: a metric and, where it is parted, one of its kinds (KnowEdit's; whose
/// answer a fact check names).
struct MetricKind {
  Metric metric = Metric::kReliability;
  std::optional<ProbeKind> probe = {};

  std::string name() const;  ///< "portability", "portability.Reasoning"
  auto operator<=>(const MetricKind&) const = default;
};

/// What the preface of a question stands in front of: all that a prompt shows, as a system text
/// would, or the question, behind the facts.
enum class PrefacePlace { kPrompt, kQuestion };

/// One question of one record, without any edit: question and target in the test language.
struct EditQuestion {
  MetricKind kind;
  int64_t probe = 0;  ///< position in the record's list of its kind
  std::string question;
  std::string target;  ///< what teacher forcing scores; empty where the file leaves it blank
  std::vector<std::string> answers;  ///< each of them is right, `target` among them
  std::string preface = {};          ///< a text that is no part of the question; most have none
  PrefacePlace preface_place = PrefacePlace::kPrompt;

  /// `target` and `answers` are wrong: a question is the better answered the less it says them.
  bool is_negated() const { return kind.metric == Metric::kNegation; }
  /// The question behind its preface, with a blank line between them: by what facts are looked up.
  std::string whole_text() const;
  /// The text that prompts show as the question.
  std::string shown_text() const;
  /// The prompt of what a method shows, which has shown_text().
  std::string prompt_of(const std::string& shown) const;
};

/// Every question that the side has, in the order of kMetrics (protocol 6.1): a parallel record
/// without portability asks three.
std::vector<EditQuestion> edit_questions(const EditSide& test_side);

/// Which questions of a record are asked: those of EasyEdit (all; protocol 6.4), or those of LTE
/// (the first of each list and no rephrase; protocol 6.3).
enum class QuestionForm { kEasyEdit, kLte };

/// One edit, and what is asked about it in one language. Texts as in the file.
struct EvalEdit {
  int64_t record = 0;    ///< position in its benchmark
  std::string question;  ///< in the edit language, as is the next
  std::string target;
  std::vector<EditQuestion> asked;
  std::string subject = {};  ///< in the edit language
};

/// Questions whose target is empty are left out and counted in `skipped`
/// ("locality.Forgetfulness: first answer empty"). Throws DataError when the record lacks a
/// language.
EvalEdit eval_edit(const EditRecord& record, const Language& edit, const Language& test,
                   QuestionForm form, std::map<std::string, int64_t>& skipped);

/// The record's side in a language. Throws DataError naming record and language.
const EditSide& side_of(const EditRecord& record, const Language& language);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_EDIT_QUESTIONS_H_
