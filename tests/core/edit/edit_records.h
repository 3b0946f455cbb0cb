#ifndef XKDE_TESTS_CORE_EDIT_EDIT_RECORDS_H_
#define XKDE_TESTS_CORE_EDIT_EDIT_RECORDS_H_

#include <string>

#include "core/data/edit_record.h"

namespace xkde::test {

/// A probe as parallel edits have them.
inline Probe probe(ProbeKind kind, const std::string& question, const std::string& answer) {
  return {
      .kind = kind, .question = question, .answers = {{answer}}, .position = 0, .target = answer};
}

/// An edit in English alone, as KnowEdit has them.
inline EditRecord english_record(int64_t index, const EditSide& side) {
  EditRecord record;
  record.index = index;
  record.sides["en"] = side;
  return record;
}

/// An invented record with sides in English and Spanish.
inline EditRecord edit_record(int64_t index) {
  const std::string tag = std::to_string(index);
  EditRecord record;
  record.index = index;
  record.sides["en"] = {"S" + tag,
                        "who " + tag + "?",
                        "me " + tag,
                        {"again " + tag + "?"},
                        {probe(ProbeKind::kLocality, "nq question: far " + tag, "four"),
                         probe(ProbeKind::kPortability, "hop " + tag + "?", "one")}};
  record.sides["es"] = {"S" + tag,
                        "quien " + tag + "?",
                        "yo " + tag,
                        {"otra " + tag + "?"},
                        {probe(ProbeKind::kLocality, "lejos " + tag, "cuatro"),
                         probe(ProbeKind::kPortability, "salto " + tag + "?", "uno")}};
  return record;
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_CORE_EDIT_EDIT_RECORDS_H_
