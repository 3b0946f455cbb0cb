#ifndef XKDE_CORE_DATA_EDIT_RECORD_H_
#define XKDE_CORE_DATA_EDIT_RECORD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/named.h"

namespace xkde {

/// A question and one answer to it.
struct QaPair {
  std::string question;
  std::string answer;
};

/// What a probe asks beside the edit itself. Parallel edits have the first two kinds; KnowEdit
/// (protocol 1.3) has the others but the last two. Records keep their probes in this order. The
/// last two are never in a record: whose answer a fact check names (protocol 6.11).
enum class ProbeKind {
  kLocality,
  kRelationSpecificity,
  kForgetfulness,
  kPortability,
  kReasoning,
  kSubjectAliasing,
  kLogicalGeneralization,
  kNewAnswer,
  kOldAnswer
};
inline constexpr Named<ProbeKind> kProbeKindNames[] = {
    {"locality", ProbeKind::kLocality},
    {"Relation_Specificity", ProbeKind::kRelationSpecificity},
    {"Forgetfulness", ProbeKind::kForgetfulness},
    {"portability", ProbeKind::kPortability},
    {"Reasoning", ProbeKind::kReasoning},
    {"Subject_Aliasing", ProbeKind::kSubjectAliasing},
    {"Logical_Generalization", ProbeKind::kLogicalGeneralization},
    {"new", ProbeKind::kNewAnswer},
    {"old", ProbeKind::kOldAnswer}};

/// Whether the edit must not change the answer; otherwise the answer needs the edit.
constexpr bool is_locality(ProbeKind kind) { return kind < ProbeKind::kPortability; }

/// A question about one edit. An answer is any of its aliases; there is at least one answer, each
/// has at least one alias, and none is empty.
struct Probe {
  ProbeKind kind{};
  std::string question;
  std::vector<std::vector<std::string>> answers;
  int64_t position = 0;  ///< in the file's list of this kind
  /// The file's first answer, first alias: what teacher forcing scores. Empty where the file leaves
  /// it blank.
  std::string target = {};

  const std::string& first_alias() const { return answers.front().front(); }
};

/// One fact as one language states it (protocol 1.1 to 1.4), texts exactly as in the file (outer
/// blanks kept).
struct EditSide {
  std::string subject;
  std::string src;                            ///< the edit question
  std::string alt;                            ///< its new answer
  std::vector<std::string> rephrases;         ///< the question in other words
  std::vector<Probe> probes;                  ///< in the order of ProbeKind
  std::vector<std::string> old_answers = {};  ///< what `src` had for an answer; empty when unknown
  std::vector<std::string> left_out = {};     ///< what the file leaves blank: "loc_ans: empty"
  std::vector<std::string> aliases = {};      ///< other answers to `src` that are as right as `alt`

  /// The first probe that is_locality (or is not); nullptr when there is none.
  const Probe* first_probe(bool locality) const {
    for (const Probe& probe : probes) {
      if (is_locality(probe.kind) == locality) return &probe;
    }
    return nullptr;
  }
};

/// One edit of any benchmark: the same fact in one or several languages, by ISO code.
struct EditRecord {
  int64_t index = 0;  ///< position in the benchmark, from 0
  std::map<std::string, EditSide> sides;
};

}  // namespace xkde

#endif  // XKDE_CORE_DATA_EDIT_RECORD_H_
