#ifndef XKDE_TESTS_CORE_EDIT_EDIT_RECORDS_H_
#define XKDE_TESTS_CORE_EDIT_EDIT_RECORDS_H_

#include <string>

#include "core/data/edit_record.h"

namespace xkde::test {

/// An invented record with sides in English and Spanish.
inline EditRecord edit_record(int64_t index) {
  const std::string tag = std::to_string(index);
  EditRecord record;
  record.index = index;
  record.sides["en"] = {"S" + tag,
                        "who " + tag + "?",
                        "me " + tag,
                        "again " + tag + "?",
                        Probe{"nq question: far " + tag, "four"},
                        Probe{"hop " + tag + "?", "one"}};
  record.sides["es"] = {"S" + tag,
                        "quien " + tag + "?",
                        "yo " + tag,
                        "otra " + tag + "?",
                        Probe{"lejos " + tag, "cuatro"},
                        Probe{"salto " + tag + "?", "uno"}};
  return record;
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_CORE_EDIT_EDIT_RECORDS_H_
